import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { LinkConfig } from "../../src/core/config/schema.ts";
import type { HostFacts } from "../../src/core/facts.ts";
import { createLookAround } from "../../src/runtime/node/host-surroundings.ts";
import { findProgram } from "../../src/runtime/node/probe-command.ts";

/**
 * The host process against a real kernel: this file starts itself once more in a user and network namespace of its own, where it
 * may make and break links without any right of the machine's.
 */
const NAMESPACE = ["-Urnmpf", "--mount-proc", "--kill-child"];
const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const MAC = "02:5a:5f:84:40:e8";
const LINK = "lb0";
const PARENT = "house0";
/** Generous, since the machine that runs the tests may be busy; the benchmark measures. */
const SOON_MS = 15_000;

if (process.env["HAIRPIN_INSIDE"] === undefined) outside();
else inside();

function outside(): void {
  const probe = spawnSync("unshare", [...NAMESPACE, "ip", "link", "set", "lo", "up"], { encoding: "utf8" });
  const refused =
    probe.status === 0 ? false : `no user namespace with iproute2 here: ${probe.error?.message ?? probe.stderr.trim()}`;
  test("the host process keeps a link true on a real kernel", { skip: refused }, () => {
    const run = spawnSync(
      "unshare",
      [...NAMESPACE, process.execPath, "--test-reporter=spec", fileURLToPath(import.meta.url)],
      {
        encoding: "utf8",
        env: { PATH: process.env["PATH"], HAIRPIN_INSIDE: "1" },
        timeout: 120_000,
      },
    );
    assert.equal(run.status, 0, `${run.stdout}\n${run.stderr}`);
  });
}

function inside(): void {
  const directory = mkdtempSync(join(tmpdir(), "hairpin-host-"));
  const socket = join(directory, "host.sock");
  let host: ChildProcess;

  before(async () => {
    writeFileSync("/proc/sys/net/ipv4/conf/default/rp_filter", "2");
    ip("link", "set", "lo", "up");
    addParent();
    const config = {
      site: "test",
      link: { name: LINK, parent: PARENT, mac: MAC, addresses: ["169.254.53.1/32"] },
      host: { listen: `unix:${socket}`, armed: true, journal: join(directory, "journal") },
    };
    writeFileSync(join(directory, "hairpin.yaml"), JSON.stringify(config), { mode: 0o600 });
    host = spawn(process.execPath, [MAIN, "host", "--config", join(directory, "hairpin.yaml")], {
      stdio: ["ignore", "ignore", "inherit"],
      env: { HAIRPIN_RUN: directory },
    });
    await until("the link is created at the start", isRight);
  });
  after(async () => {
    host.kill("SIGTERM");
    await new Promise((end) => host.once("exit", end));
    assert.equal(host.exitCode, 0);
    rmSync(directory, { recursive: true });
  });

  test("a deleted link is back with its MAC, sysctls, address and FDB entry", async () => {
    const before = show()!.ifindex;
    ip("link", "delete", LINK);
    await until("the link is right again", () => show()?.ifindex !== before && isRight());
    await until("the guard has said so", async () => (await facts()).guard_log.at(-1)?.cause === "link_missing");
    assert.match(
      execFileSync("bridge", ["fdb", "show", "dev", PARENT], { encoding: "utf8" }),
      new RegExp(`${MAC}.*permanent`),
    );
    assert.match(execFileSync("ip", ["address", "show", "dev", LINK], { encoding: "utf8" }), /169\.254\.53\.1\/32/);
    const around = await createLookAround(findProgram("bridge"))({
      name: LINK,
      parent: PARENT,
      mac: MAC,
    } as LinkConfig);
    assert.deepEqual(around.fdb, [{ port: PARENT, state: "permanent" }], "the same as a fact");
  });

  test("a MAC changed in place leads to a new link, and is remembered as a former one", async () => {
    const before = show()!.ifindex;
    ip("link", "set", LINK, "address", "02:00:00:00:00:66");
    await until("a new link is right", () => show()?.ifindex !== before && isRight());
    await until("the facts name the former MAC", async () => (await facts()).former_macs.includes("02:00:00:00:00:66"));
  });

  test("a link that is set down is set up, and stays the same link", async () => {
    const before = show()!.ifindex;
    ip("link", "set", LINK, "down");
    await until("it is up", isRight);
    assert.equal(show()!.ifindex, before);
  });

  test("a sysctl changed underneath is written back", async () => {
    writeFileSync(`/proc/sys/net/ipv4/conf/${LINK}/rp_filter`, "2");
    await until("it is 0 again", isRight);
  });

  test("with the parent deleted nothing is there until it is back; then the link is created", async () => {
    ip("link", "delete", PARENT);
    await until("the facts miss the parent", async () => (await facts()).parent.exists === false);
    assert.equal(show(), null);
    addParent();
    await until("the link is right", isRight);
  });

  test("the socket is for owner and group alone, and a repair through it runs once", async () => {
    assert.equal((await import("node:fs")).statSync(socket).mode & 0o777, 0o660);
    const body = JSON.stringify({ id: "r1", step: "recreate-link", epoch: 1, ttl_ms: 10_000 });
    const before = show()!.ifindex;
    assert.equal((await call("POST", "/v1/repairs", body)).status, 202);
    await until("it is done", async () => (await call("GET", "/v1/repairs/r1")).text.includes('"state":"done"'));
    const now = show()!.ifindex;
    assert.notEqual(now, before);
    assert.equal((await call("POST", "/v1/repairs", body)).status, 200);
    assert.equal(show()!.ifindex, now);
    assert.ok(isRight());
  });

  const facts = async () => JSON.parse((await call("GET", "/v1/facts")).text) as HostFacts;

  function call(method: string, path: string, body?: string): Promise<{ status: number; text: string }> {
    return new Promise((resolve, reject) => {
      const sent = request(
        {
          socketPath: socket,
          method,
          path,
          headers: body === undefined ? {} : { "content-type": "application/json", "content-length": body.length },
        },
        (answer) => {
          let text = "";
          answer.setEncoding("utf8");
          answer.on("data", (chunk: string) => {
            text += chunk;
          });
          answer.on("end", () => resolve({ status: answer.statusCode ?? 0, text }));
        },
      );
      sent.on("error", reject);
      sent.end(body);
    });
  }
}

function ip(...args: string[]): void {
  execFileSync("ip", args, { stdio: ["ignore", "ignore", "inherit"] });
}

function addParent(): void {
  ip("link", "add", PARENT, "type", "bridge");
  ip("link", "set", PARENT, "up");
}

interface Shown {
  readonly ifindex: number;
  readonly address: string;
  readonly flags: readonly string[];
}

function show(): Shown | null {
  const shown = spawnSync("ip", ["-j", "link", "show", "dev", LINK], { encoding: "utf8" });
  return shown.status === 0 ? (JSON.parse(shown.stdout) as Shown[])[0]! : null;
}

function isRight(): boolean {
  const link = show();
  const sysctl = (key: string) => readFileSync(`/proc/sys/net/ipv4/conf/${LINK}/${key}`, "utf8").trim();
  try {
    return (
      link !== null &&
      link.address === MAC &&
      link.flags.includes("UP") &&
      sysctl("rp_filter") === "0" &&
      sysctl("arp_ignore") === "1"
    );
  } catch {
    return false;
  }
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + SOON_MS;
  while (!(await holds())) {
    if (performance.now() > end) assert.fail(`${what}: not within ${SOON_MS} ms`);
    await new Promise((next) => setTimeout(next, 20));
  }
}
