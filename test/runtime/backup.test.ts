import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { gunzipSync, gzipSync } from "node:zlib";
import { copyStore } from "../../src/runtime/node/store-copy.ts";
import { readTar, TarError, writeTar } from "../../src/runtime/node/tar.ts";
import { runHairpin } from "../support/command.ts";

const dir = mkdtempSync(join(tmpdir(), "hairpin-backup-"));
const children: ChildProcess[] = [];
after(() => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(dir, { recursive: true, force: true });
});

/** Starts a process of ours, and waits until its output has these words. */
async function started(script: string, args: readonly string[], words: RegExp): Promise<ChildProcess> {
  const child = spawn(process.execPath, [fileURLToPath(new URL(script, import.meta.url)), ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  let seen = "";
  await new Promise<void>((resolve, reject) => {
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      seen = (seen + text).slice(-65_536);
      if (words.test(seen)) resolve();
    });
    child.once("exit", (code) => reject(new Error(`it ended with ${code}: ${seen}`)));
  });
  return child;
}

async function ended(child: ChildProcess): Promise<void> {
  const exit = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await exit;
}

test("a copy of a store that is being written is of one moment, every time", { timeout: 60_000 }, async () => {
  const data = join(dir, "written");
  const writer = await started("../support/store-writer.ts", [data], /ready/);
  const seen: number[] = [];
  for (let round = 0; round < 12; round++) {
    const scratch = mkdtempSync(join(dir, "scratch-"));
    const copy = copyStore(data, scratch);
    writeFileSync(join(scratch, "copy.sqlite"), copy!.bytes);
    const database = new DatabaseSync(join(scratch, "copy.sqlite"));
    const row = database.prepare("SELECT (SELECT sum(amount) FROM account) AS total, n AS moves FROM moves").get() as {
      total: number;
      moves: number;
    };
    database.close();
    assert.equal(row.total, 1_000_000_000);
    seen.push(row.moves);
  }
  assert.ok(seen.at(-1)! > seen[0]!, `the writer stood still: ${seen}`);
  assert.deepEqual(
    [...seen].sort((a, b) => a - b),
    seen,
    "a later copy never holds less",
  );
  assert.equal(writer.exitCode, null);
  await ended(writer);
});

function house(): string {
  const place = join(dir, "house");
  mkdirSync(join(place, "keys"), { recursive: true });
  mkdirSync(join(place, "journal"));
  for (const name of ["lan", "token"])
    writeFileSync(join(place, "keys", name), `whsec_${randomBytes(32).toString("base64")}\n`, { mode: 0o600 });
  writeFileSync(join(dir, "outside.json"), '{"text":"{{title}}"}\n', { mode: 0o600 });
  writeFileSync(join(place, "journal/journal"), "a line of the journal\n", { mode: 0o600 });
  const config = join(place, "hairpin.yaml");
  writeFileSync(
    config,
    [
      "site: cabin",
      "targets: { names: { address: 10.9.0.53 } }",
      'link: { name: lb0, parent: br0, mac: "02:00:00:00:00:01" }',
      `host: { listen: "unix:${place}/host.sock", journal: journal }`,
      "vantages: { lan: { where: lan, key_file: keys/lan } }",
      `hub: { listen: "unix:${place}/hub.sock", data: data, tokens: [{ name: t, scopes: [read], token_file: keys/token }] }`,
      `notify: [{ webhook: { name: chat, url: "http://127.0.0.1:9/", template_file: ../outside.json } }]`,
      "",
    ].join("\n"),
  );
  return config;
}

interface Restored {
  readonly hub: string | null;
  readonly next: readonly string[];
  readonly files: readonly { readonly path: string }[];
}

test("a backup of a running hub is one private file; what is restored from it is the same hub, and its latest incarnation", {
  timeout: 60_000,
}, async () => {
  const config = house();
  const first = await started("../../src/cli/main.ts", ["hub", "--config", config], /"ready"/);
  assert.equal((await runHairpin(["pause", "--config", config, "--reason", "the roof"])).code, 0);
  const file = join(dir, "cabin.tar.gz");
  const made = await runHairpin(["backup", file, "--config", config]);
  assert.equal(made.code, 0, made.err);
  assert.match(made.out, /holds secrets/);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.deepEqual(
    readdirSync(dir).filter((name) => name.startsWith("cabin.tar.gz")),
    ["cabin.tar.gz"],
  );
  assert.equal(first.exitCode, null, "the hub went on");
  const again = await runHairpin(["backup", file, "--config", config]);
  assert.deepEqual([again.code, /--force/.test(again.err)], [1, true]);
  const listed = spawnSync("tar", ["tzf", file], { encoding: "utf8" });
  if (listed.error === undefined)
    assert.deepEqual(listed.stdout.trim().split("\n").sort(), [
      `elsewhere${dir}/outside.json`,
      "hairpin.yaml",
      "host/default/journal",
      "hub/hub.sqlite",
      "keys/lan",
      "keys/token",
      "manifest.json",
    ]);

  const to = join(dir, "restored");
  const restored = await runHairpin(["backup", "--restore", file, "--to", to, "--json"]);
  assert.equal(restored.code, 0, restored.err);
  const { hub, next } = JSON.parse(restored.out) as Restored;
  assert.match(hub ?? "", /^[a-z0-9]{6}$/);
  assert.match(next.join("\n"), new RegExp(`hub ${hub} of site cabin. Stop that hub first`));
  assert.equal(readFileSync(join(to, "hairpin.yaml"), "utf8"), readFileSync(config, "utf8"));
  for (const path of ["keys/lan", "hub/hub.sqlite", "host/default/journal"])
    assert.equal(statSync(join(to, path)).mode & 0o777, 0o600, path);
  const once = await runHairpin(["backup", "--restore", file, "--to", to]);
  assert.deepEqual([once.code, /not empty/.test(once.err)], [1, true]);
  await ended(first);

  const text = readFileSync(config, "utf8").replaceAll(join(dir, "house"), to).replace("data: data", "data: hub");
  const second = join(to, "hairpin.yaml");
  writeFileSync(second, text.replace("../outside.json", join(dir, "outside.json")), { mode: 0o600 });
  const running = await started("../../src/cli/main.ts", ["hub", "--config", second], /"ready"/);
  const events = await runHairpin(["events", "--config", second]);
  assert.match(events.out, /the roof/);
  await ended(running);
  const epochs = [join(dir, "house/data"), join(to, "hub")].map((data) => {
    const scratch = mkdtempSync(join(dir, "epoch-"));
    const copy = copyStore(data, scratch)!;
    assert.equal(copy.hub, hub);
    const database = new DatabaseSync(join(scratch, "hub.sqlite"));
    const { state } = database.prepare("SELECT state FROM groups").get() as { state: string };
    database.close();
    return (JSON.parse(state) as { epoch: number }).epoch;
  });
  assert.ok(epochs[1]! >= epochs[0]! + 1_000, String(epochs));
});

test("a damaged backup, one that leads elsewhere, and something else restore nothing", async () => {
  const good = join(dir, "cabin.tar.gz");
  const entries = readTar(gunzipSync(readFileSync(good)));
  const variants: Readonly<Record<string, Buffer>> = {
    cut: readFileSync(good).subarray(0, 2_000),
    text: Buffer.from("site: home\n"),
    changed: gzipSync(
      writeTar(
        entries.map((entry) => (entry.path === "keys/lan" ? { ...entry, bytes: Buffer.from("x") } : entry)),
        0,
      ),
    ),
    short: gzipSync(writeTar(entries.slice(0, -1), 0)),
    elsewhere: gzipSync(writeTar([...entries, { path: "../escaped", mode: 0o600, bytes: Buffer.from("x") }], 0)),
  };
  for (const [name, bytes] of Object.entries(variants)) {
    const file = join(dir, `${name}.tar.gz`);
    writeFileSync(file, bytes);
    const run = await runHairpin(["backup", "--restore", file, "--to", join(dir, name)]);
    assert.deepEqual([run.code, run.out, readdirSync(dir).includes(name)], [1, "", false], `${name}: ${run.err}`);
    assert.match(run.err, /is not a backup of hairpin, or is damaged/);
  }
});

test("wrong usage of backup says what to type; paths that ustar cannot hold are refused, long ones come back whole", async () => {
  const half = await runHairpin(["backup", "--restore", "x.tar.gz"]);
  assert.deepEqual([half.code, /--restore FILE --to DIR/.test(half.err)], [2, true]);
  const long = `${"d".repeat(90)}/${"e".repeat(60)}/${"f".repeat(99)}`;
  const archive = writeTar([{ path: long, mode: 0o600, bytes: Buffer.from("whole") }], 0);
  assert.deepEqual(
    readTar(archive).map(({ path, bytes }) => [path, bytes.toString()]),
    [[long, "whole"]],
  );
  assert.throws(() => writeTar([{ path: "x".repeat(101), mode: 0o600, bytes: Buffer.alloc(0) }], 0), TarError);
});
