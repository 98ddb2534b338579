import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import pino from "pino";
import type { Status } from "../../src/core/status.ts";
import { loadConfig } from "../../src/runtime/node/config-file.ts";
import { type RunningHub, startHub } from "../../src/runtime/node/hub-process.ts";
import { ADMIN, type Edge, READ, workerdEdge } from "../edge/edges.ts";

const MAIN = new URL("../../src/cli/main.ts", import.meta.url).pathname;

interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command as a person types it, in its own process. */
function hairpin(cwd: string, ...args: readonly string[]): Promise<Ran> {
  const child = spawn(process.execPath, [MAIN, "edge", ...args], { cwd, stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, stdout, stderr })));
}

const yaml = (edge: string) => `site: home
targets: { dns: { address: 192.0.2.53 } }
link: { name: metallb0, parent: bridge0, mac: "f2:5a:5f:84:40:e8" }
hub: { listen: "unix:${"DIR"}/hub.sock", data: data }
notify: []
${edge}`;

function houseIn(dir: string, edge: string): string {
  const file = join(dir, "hairpin.yaml");
  writeFileSync(file, yaml(edge).replaceAll("DIR", dir), { mode: 0o600 });
  return file;
}

/** A stand-in for wrangler: it writes down what it was called with, and says what the real one says of a deployment. */
const FAKE_WRANGLER = `#!${process.execPath}
const { appendFileSync, readFileSync } = require("node:fs");
const args = process.argv.slice(2);
const input = args[0] === "secret" ? readFileSync(0, "utf8") : null;
appendFileSync(process.env.RECORD, JSON.stringify({ args, input, environment: Object.values(process.env).join(" ") }) + "\\n");
if (args[0] === process.env.FAILS) process.exit(7);
if (args[0] === "deploy") console.log("Deployed hairpin-edge triggers\\n  https://hairpin-edge.someone.workers.dev\\n  schedule: * * * * *");
`;

describe("hairpin edge init and deploy, with a stand-in for wrangler", () => {
  const dir = mkdtempSync(join(tmpdir(), "hairpin-edge-"));
  const record = join(dir, "record");
  const wrangler = join(dir, "wrangler-stand-in.cjs");
  before(() => {
    writeFileSync(wrangler, FAKE_WRANGLER);
    chmodSync(wrangler, 0o755);
    process.env["RECORD"] = record;
  });
  after(() => rmSync(dir, { recursive: true }));
  const calls = () =>
    readFileSync(record, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { args: string[]; input: string | null; environment: string });

  test("init says what it costs, writes the block and keys of 0600, and repeats without overwriting", async () => {
    const file = houseIn(dir, "");
    const first = await hairpin(dir, "init", "--heal-key", "alice");
    assert.equal(first.code, 0, first.stderr);
    assert.match(first.stderr, /of 100000 that are free: \d+ %/);
    for (const key of ["edge", "edge-admin", "edge-read", "edge-heal-alice"])
      assert.equal(statSync(join(dir, "keys", key)).mode & 0o777, 0o600);
    const { house } = loadConfig(file);
    assert.deepEqual(house.edge?.heal_keys, [{ name: "alice", key_file: "keys/edge-heal-alice" }]);
    const before_ = [readFileSync(file, "utf8"), readFileSync(join(dir, "keys/edge"), "utf8")];
    const second = await hairpin(dir, "init", "--json");
    assert.deepEqual(JSON.parse(second.stdout), { config: "hairpin.yaml", written: false, keys_made: [] });
    assert.deepEqual([readFileSync(file, "utf8"), readFileSync(join(dir, "keys/edge"), "utf8")], before_);
  });

  test("before it is deployed, every command that needs it says so", async () => {
    const ran = await hairpin(dir, "add-site");
    assert.equal(ran.code, 2);
    assert.match(ran.stderr, /has not been deployed yet: hairpin edge deploy/);
  });

  test("deploy says the cost first, does nothing without a yes, and hands secrets over by stdin alone", async () => {
    const unsure = await hairpin(dir, "deploy", "--wrangler", wrangler);
    assert.equal(unsure.code, 2);
    assert.match(unsure.stderr, /rows written[\s\S]*--yes says that you mean it/);
    assert.equal(existsSync(record), false);
    const ran = await hairpin(dir, "deploy", "--wrangler", wrangler, "--yes", "--json");
    assert.equal(ran.code, 0, ran.stderr);
    const tokens = ["edge-admin", "edge-read"].map((name) => readFileSync(join(dir, "keys", name), "utf8").trim());
    assert.deepEqual(
      calls().map(({ args, input }) => [args.join(" "), input?.trim() ?? null]),
      [
        ["deploy --env house", null],
        ["secret put ADMIN_TOKENS --env house", tokens[0]],
        ["secret put READ_TOKENS --env house", tokens[1]],
      ],
    );
    for (const secret of tokens) {
      assert.ok(calls().every(({ args, environment }) => !`${args.join(" ")} ${environment}`.includes(secret)));
      assert.ok(!`${ran.stdout}${ran.stderr}`.includes(secret));
    }
    assert.equal(loadConfig(join(dir, "hairpin.yaml")).house.edge?.url, "https://hairpin-edge.someone.workers.dev");
    assert.equal((JSON.parse(ran.stdout) as { written: boolean }).written, true);
  });

  test("a wrangler that fails stops the rest", async () => {
    rmSync(record);
    process.env["FAILS"] = "deploy";
    const ran = await hairpin(dir, "deploy", "--wrangler", wrangler, "--yes");
    delete process.env["FAILS"];
    assert.equal(ran.code, 1);
    assert.match(ran.stderr, /wrangler deploy ended with 7/);
    assert.equal(calls().length, 1);
  });
});

describe("a house and its edge on the real local runtime", () => {
  const dir = mkdtempSync(join(tmpdir(), "hairpin-edge-"));
  let edge: Edge;
  let running: RunningHub;
  const lines: string[] = [];
  const log = pino({ base: null }, { write: (line: string) => void lines.push(line) });
  const edgeStatus = () => (running.hub.status() as Status).edge!;
  const until = async (holds: () => boolean, what: string) => {
    const end = performance.now() + 20_000;
    while (!holds()) {
      if (performance.now() > end) assert.fail(`waited for ${what}: ${JSON.stringify(edgeStatus())}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };

  before(async () => {
    edge = await workerdEdge("http://127.0.0.1:9/dns-query");
    houseIn(
      dir,
      `edge:
  { url: "${edge.url}", key_file: keys/edge, every: 1s, silence: 5s, heal_keys: [{ name: alice, key_file: keys/alice }] }`,
    );
    assert.equal((await hairpin(dir, "init")).code, 0);
    writeFileSync(join(dir, "keys/edge-admin"), ADMIN);
    writeFileSync(join(dir, "keys/edge-read"), READ);
    const { house } = loadConfig(join(dir, "hairpin.yaml"));
    running = await startHub(house, dir, log);
  });
  after(async () => {
    await running?.close();
    await edge?.stop();
    rmSync(dir, { recursive: true });
  });

  test("a site that is not known there is refused, and the doctor says what to type", async () => {
    await until(() => edgeStatus().state === "refused", "a refusal");
    const ran = await hairpin(dir, "doctor", "--json");
    assert.equal(ran.code, 1, ran.stdout);
    const { findings } = JSON.parse(ran.stdout) as { findings: { state: string; text: string; advice: string }[] };
    assert.ok(findings.some((one) => one.state === "bad" && one.advice === "hairpin edge add-site"));
  });

  test("after add-site heartbeats are accepted, and the doctor is content", async () => {
    const added = await hairpin(dir, "add-site", "--json");
    assert.equal(added.code, 0, added.stderr);
    assert.equal((JSON.parse(added.stdout) as { outcome: string }).outcome, "added");
    await until(() => edgeStatus().state === "ok", "an accepted heartbeat");
    assert.ok(Math.abs(edgeStatus().clock_skew_ms ?? Number.NaN) < 5_000);
    const ran = await hairpin(dir, "doctor", "--json");
    assert.equal(ran.code, 0, ran.stdout);
    assert.match(ran.stdout, /takes this house's key/);
    const status = await hairpin(dir, "status", "--json");
    assert.equal((JSON.parse(status.stdout) as { house: { state: string } }).house.state, "unknown");
    assert.equal(edgeStatus().state, "ok", "the doctor's question put no heartbeat in the way of the hub's");
  });

  test("a test without anybody to tell says so", async () => {
    const ran = await hairpin(dir, "test");
    assert.equal(ran.code, 1, ran.stderr);
    assert.match(ran.stdout, /nobody to tell: list ntfy or a webhook in edge.notify/);
  });

  test("edge heal with a person's key gets the house's own answer; with another key it is refused there", async () => {
    const good = await hairpin(dir, "heal", "--json");
    assert.equal(good.code, 1, good.stderr);
    const { result } = JSON.parse(good.stdout) as { result: { state: string; detail: string } };
    assert.equal(result.state, "not_configured", "this house has no host that could repair");
    writeFileSync(join(dir, "keys/mallory"), readFileSync(join(dir, "keys/edge")), { mode: 0o600 });
    const bad = await hairpin(dir, "heal", "--key-file", "keys/mallory");
    assert.equal(bad.code, 1);
    assert.match(bad.stdout, /unauthorized: no key of edge.heal_keys made this signature/);
  });

  test("a key is changed without a heartbeat lost", async () => {
    const refused = () => lines.filter((line) => line.includes('"state":"refused"')).length;
    const before_ = refused();
    assert.equal((await hairpin(dir, "rotate")).code, 0);
    const [fresh] = readFileSync(join(dir, "keys/edge"), "utf8").trim().split("\n");
    const at = edgeStatus().accepted_at;
    await until(() => edgeStatus().accepted_at !== at, "a heartbeat with both keys");
    await new Promise((resolve) => setTimeout(resolve, 1_100)); // The hub looks at its key files once a second.
    assert.equal((await hairpin(dir, "rotate", "--retire")).code, 0);
    assert.equal(readFileSync(join(dir, "keys/edge"), "utf8").trim(), fresh);
    const then = edgeStatus().accepted_at;
    await until(() => edgeStatus().accepted_at !== then, "a heartbeat with the new key");
    assert.equal(refused(), before_);
  });

  test("a wrong token, an edge that is not there and a removal are told apart by their exit codes", async () => {
    writeFileSync(join(dir, "keys/wrong"), "not-the-token-at-all", { mode: 0o600 });
    const wrong = await hairpin(dir, "status", "--token-file", "keys/wrong");
    assert.deepEqual([wrong.code, /answered 401/.test(wrong.stderr)], [1, true]);
    const gone = await hairpin(dir, "doctor", "--url", "http://127.0.0.1:9");
    assert.equal(gone.code, 3);
    const unsure = await hairpin(dir, "remove-site");
    assert.equal(unsure.code, 2);
    const removed = await hairpin(dir, "remove-site", "--yes");
    assert.equal(removed.code, 0, removed.stderr);
    await until(() => edgeStatus().state === "refused", "a refusal after the removal");
  });
});

test("config show hides where the edge tells: whoever knows an ntfy topic can read it", async () => {
  const dir = mkdtempSync(join(tmpdir(), "hairpin-edge-"));
  try {
    houseIn(
      dir,
      'edge: { url: "https://edge.example", key_file: k, notify: [{ ntfy: { url: "https://ntfy.sh/topic-of-mine" } }] }',
    );
    const child = spawn(process.execPath, [MAIN, "config", "show"], { cwd: dir, stdio: ["ignore", "pipe", "inherit"] });
    let shown = "";
    child.stdout.on("data", (chunk) => {
      shown += chunk;
    });
    await new Promise((resolve) => child.on("close", resolve));
    assert.match(shown, /https:\/\/ntfy\.sh\/\*\*\*/);
    assert.ok(!shown.includes("topic-of-mine"));
  } finally {
    rmSync(dir, { recursive: true });
  }
});
