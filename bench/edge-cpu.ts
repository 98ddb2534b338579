import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * The bundle that is deployed, in the runtime itself and nothing around it: no harness, no proxy, a disk for the objects. CPU is
 * what the kernel counts for that one process, so that other work on the machine makes it slower and hardly dearer.
 */
export interface BareEdge {
  readonly url: string;
  /** CPU time so far, in milliseconds (of 10 each: the kernel's tick). */
  readonly cpuMs: () => number;
  readonly stop: () => void;
}

const START_TRIES = 200;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function configOf(directory: string, port: number, variables: Readonly<Record<string, string>>): string {
  const texts = Object.entries(variables).map(([name, value]) => `(name = "${name}", text = "${value}")`);
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .edge),
    (name = "disk", disk = (path = "${directory}/objects", writable = true)),
    (name = "internet", network = (allow = ["public", "private"]))
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")]
);
const edge :Workerd.Worker = (
  modules = [(name = "main.js", esModule = embed "main.js")],
  compatibilityDate = "2026-11-17",
  durableObjectNamespaces = [
    (className = "Site", uniqueKey = "site", enableSql = true),
    (className = "Fleet", uniqueKey = "fleet", enableSql = true)
  ],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [
    (name = "SITES", durableObjectNamespace = "Site"),
    (name = "FLEET", durableObjectNamespace = "Fleet"),
    ${texts.join(",\n    ")}
  ]
);
`;
}

export async function startBare(root: string, variables: Readonly<Record<string, string>>): Promise<BareEdge> {
  const directory = mkdtempSync(join(tmpdir(), "hairpin-edge-bare-"));
  mkdirSync(join(directory, "objects"));
  const built = spawnSync(
    process.execPath,
    [
      `${root}node_modules/wrangler/bin/wrangler.js`,
      "deploy",
      "--env=",
      "--dry-run",
      "--minify",
      "--outdir",
      directory,
    ],
    { cwd: root, encoding: "utf8" },
  );
  if (built.status !== 0) throw new Error(built.stderr);
  const port = await freePort();
  writeFileSync(join(directory, "config.capnp"), configOf(directory, port, variables));
  const binary = `${root}node_modules/@cloudflare/workerd-linux-${process.arch === "arm64" ? "arm64" : "64"}/bin/workerd`;
  const child: ChildProcess = spawn(binary, ["serve", join(directory, "config.capnp")], { stdio: "ignore" });
  const url = `http://127.0.0.1:${port}`;
  for (let left = START_TRIES; ; left--) {
    const isUp = await fetch(`${url}/healthz`).then(
      (reply) => reply.ok,
      () => false,
    );
    if (isUp) break;
    if (left === 0 || child.exitCode !== null) throw new Error("workerd did not start");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    url,
    cpuMs() {
      const fields = readFileSync(`/proc/${child.pid}/stat`, "utf8").split(") ")[1]!.split(" ");
      return (Number(fields[11]) + Number(fields[12])) * 10;
    },
    stop() {
      child.kill();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
