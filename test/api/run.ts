/**
 * `npm run test:api`: schemathesis, a fuzzer that reads GET /openapi.json, against a hub on loopback with temporary data. Exit 1 when
 * it finds a 5xx, a status that is not documented, or an answer that is not as documented. Needs python3 with venv and PyPI for the
 * first run; where they are missing it is skipped by name.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const VERSION = "4.32.5";
/** For the whole fuzzing; the first run also takes about 20 s to install. */
const TIME_S = 60;
const TOKENS = 12;
const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const CACHE = fileURLToPath(new URL("../../node_modules/.cache/schemathesis", import.meta.url));
/** An answer that never ends is not for a fuzzer: test/runtime/hub-node.test.ts reads it. */
const STREAM = "/v1/events/stream";
const CHECKS = [
  "not_a_server_error",
  "status_code_conformance",
  "content_type_conformance",
  "response_headers_conformance",
  "response_schema_conformance",
  "allow_header_conformance",
];

function skip(why: string): never {
  process.stdout.write(`test:api: skipped: ${why}\n`);
  process.exit(0);
}

/** The environment with schemathesis, made where it is missing. */
function environment(): string {
  const program = join(CACHE, "bin", "schemathesis");
  const mark = join(CACHE, `installed-${VERSION}`);
  if (existsSync(mark)) return program;
  rmSync(CACHE, { recursive: true, force: true });
  mkdirSync(join(CACHE, ".."), { recursive: true });
  const made = spawnSync("python3", ["-m", "venv", CACHE], { encoding: "utf8", timeout: 60_000 });
  if (made.status !== 0)
    skip(`no python3 with venv here: ${made.error?.message ?? (made.stdout + made.stderr).trim()}`);
  const pip = spawnSync(join(CACHE, "bin", "pip"), ["install", "--quiet", `schemathesis==${VERSION}`], {
    encoding: "utf8",
    timeout: 300_000,
  });
  if (pip.status !== 0) skip(`schemathesis ${VERSION} cannot be installed: ${pip.stderr.trim().split("\n").at(-1)}`);
  writeFileSync(mark, "");
  return program;
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

interface Secrets {
  readonly tokens: readonly string[];
  readonly vantages: Readonly<Record<string, string>>;
}

function writeConfiguration(directory: string, port: number): Secrets {
  const vantages = Object.fromEntries(
    ["lan", "vm"].map((name) => [name, `whsec_${createHash("sha256").update(randomBytes(32)).digest("base64")}`]),
  );
  const tokens = Array.from({ length: TOKENS }, () => randomBytes(24).toString("base64url"));
  const file = (name: string, secret: string) => {
    writeFileSync(join(directory, name), `${secret}\n`, { mode: 0o600 });
    return name;
  };
  const config = {
    site: "home",
    targets: { dns: { address: "192.0.2.53", checks: [{ dns: { name: "a.example" } }] } },
    link: { name: "metallb0", parent: "bridge0", mac: "f2:5a:5f:84:40:e8" },
    host: { listen: `unix:${join(directory, "host.sock")}`, armed: true },
    vantages: Object.fromEntries(
      Object.entries(vantages).map(([name, secret]) => [name, { where: name, key_file: file(name, secret) }]),
    ),
    hub: {
      listen: `127.0.0.1:${port}`,
      data: join(directory, "data"),
      tokens: tokens.map((secret, index) => ({
        name: `t${index}`,
        scopes: ["heal", "ack", "read", "pause"],
        token_file: file(`token-${index}`, secret),
      })),
    },
    heal: { mode: "observe" },
  };
  writeFileSync(join(directory, "hairpin.yaml"), JSON.stringify(config), { mode: 0o600 });
  return { tokens, vantages };
}

/** Starts the hub; its log is kept to say what threw. */
async function startHub(directory: string): Promise<{ end: () => Promise<number | null>; log: () => string }> {
  const child = spawn(process.execPath, [MAIN, "hub", "--config", join(directory, "hairpin.yaml")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let log = "";
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  await new Promise<void>((resolve, reject) => {
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      log += text;
      if (log.includes('"event":"ready"')) resolve();
    });
    void ended.then(() => reject(new Error(`the hub ended: ${log}`)));
  });
  const end = () => {
    child.kill("SIGTERM");
    return ended;
  };
  return { end, log: () => log };
}

function fuzz(program: string, url: string, directory: string, secrets: Secrets, seed: number): Promise<number> {
  const args = ["run", `${url}/openapi.json`, "--checks", CHECKS.join(","), "--exclude-path", STREAM];
  args.push("--phases", "examples,coverage,fuzzing", "--max-examples", "60", "--rate-limit", "45/s", "--no-color");
  args.push(
    "--seed",
    String(seed),
    "--continue-on-failure",
    "--request-timeout",
    "10",
    "--suppress-health-check",
    "all",
  );
  args.push("--generation-database", "none", "--warnings", "off");
  const child = spawn(program, args, {
    stdio: "inherit",
    // It leaves a directory of its own where it runs.
    cwd: directory,
    timeout: TIME_S * 2_000,
    env: {
      PATH: process.env["PATH"],
      PYTHONPATH: fileURLToPath(new URL(".", import.meta.url)),
      PYTHONDONTWRITEBYTECODE: "1",
      SCHEMATHESIS_HOOKS: "credentials",
      HAIRPIN_API_SECRETS: JSON.stringify(secrets),
    },
  });
  return new Promise((resolve) => child.once("close", (code) => resolve(code ?? 1)));
}

const program = environment();
const directory = mkdtempSync(join(tmpdir(), "hairpin-api-"));
const port = await freePort();
const secrets = writeConfiguration(directory, port);
const hub = await startHub(directory);
const seed = Number(process.argv[2] ?? Date.now() % 1_000_000);
const code = await fuzz(program, `http://127.0.0.1:${port}`, directory, secrets, seed);
const threw = hub
  .log()
  .split("\n")
  .filter((line) => line.includes("a hook threw"));
for (const line of threw.slice(0, 5)) process.stdout.write(`${line}\n`);
const exit = await hub.end();
rmSync(directory, { recursive: true, force: true });
process.stdout.write(
  `test:api: seed ${seed}, schemathesis ended with ${code}, ${threw.length} hooks threw, the hub ended with ${exit}\n`,
);
process.exit(code === 0 && threw.length === 0 && exit === 0 ? 0 : 1);
