import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { parseConfig } from "../../src/runtime/node/config-file.ts";
import { foundFrom, propose, writeConfig } from "../../src/runtime/node/config-proposal.ts";
import { readSecret } from "../../src/runtime/node/secret-file.ts";

const root = new URL("../../", import.meta.url).pathname;

function hairpin(...args: string[]) {
  const run = spawnSync(process.execPath, [`${root}src/cli/main.ts`, ...args], {
    cwd: root,
    encoding: "utf8",
    timeout: 20_000,
  });
  return { code: run.status, out: run.stdout, err: run.stderr };
}

function inTemporaryDirectory(work: (dir: string) => void): void {
  const dir = mkdtempSync(join(tmpdir(), "hairpin-test-"));
  try {
    work(dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

test("every command that --help lists has a --help of its own", () => {
  const { code, out } = hairpin("--help");
  assert.equal(code, 0);
  const names = [...out.matchAll(/^ {2}([a-z-]+) {2}/gm)].map((match) => match[1]!);
  assert.ok(names.includes("config") && names.includes("init"));
  for (const name of names) assert.equal(hairpin(name, "--help").code, 0, `hairpin ${name} --help`);
});

test("an unknown command and an unknown flag exit 2; the nearest command is named", () => {
  const unknown = hairpin("cnofig");
  assert.equal(unknown.code, 2);
  assert.match(unknown.err, /did you mean config\?/);
  assert.equal(hairpin("config", "check", "--bogus").code, 2);
  assert.equal(hairpin("constructor").code, 2);
});

test("config check passes the shipped example of a fresh checkout, and config schema prints the committed schema", () => {
  assert.equal(hairpin("config", "check").code, 0);
  assert.equal(hairpin("config", "schema").out, readFileSync(`${root}hairpin.schema.json`, "utf8"));
});

test("a broken configuration exits 2 with file, line and key on stderr, and as JSON when asked", () => {
  inTemporaryDirectory((dir) => {
    const file = join(dir, "house.yaml");
    writeFileSync(file, "site: home\nscedule: x\n");
    const { code, err } = hairpin("config", "check", "--config", file);
    assert.equal(code, 2);
    assert.equal(err, `${file}:2:1: scedule: unknown key; did you mean schedule?\n`);
    const json = hairpin("config", "check", "--config", file, "--json");
    assert.equal(json.code, 2);
    assert.deepEqual(JSON.parse(json.out).problems, [
      { line: 2, column: 1, path: "scedule", message: "unknown key; did you mean schedule?", nearest: "schedule" },
    ]);
    assert.equal(hairpin("config", "show", "--config", join(dir, "none.yaml")).code, 2);
  });
});

test("init writes a valid configuration that observes, keys that only the owner reads, and overwrites nothing", () => {
  inTemporaryDirectory((dir) => {
    const first = hairpin("init", "--dir", dir, "--yes");
    assert.equal(first.code, 0, first.err);
    assert.equal(first.out.match(/^ {2}hairpin /gm)?.length, 3);
    const file = join(dir, "hairpin.yaml");
    const { config } = parseConfig(readFileSync(file, "utf8"), file);
    assert.equal(config.heal.mode, "observe");
    const keys = readdirSync(join(dir, "keys"));
    assert.ok(keys.includes("lan") && keys.includes("ha-token"));
    for (const key of keys) {
      assert.equal(statSync(join(dir, "keys", key)).mode & 0o777, 0o600);
      assert.match(readSecret(join(dir, "keys", key)), /^whsec_[A-Za-z0-9+/]{43}=$/);
    }
    const before = readFileSync(join(dir, "keys", "lan"), "utf8");
    assert.equal(hairpin("init", "--dir", dir, "--yes").code, 2);
    rmSync(file);
    assert.equal(hairpin("init", "--dir", dir, "--yes").code, 0);
    assert.equal(readFileSync(join(dir, "keys", "lan"), "utf8"), before);
  });
});

test("init proposes the macvlan on the bridge, with its MAC, and the bridge's address for the hub", () => {
  const links = [
    { ifname: "br0", address: "02:00:00:00:00:01", linkinfo: { info_kind: "bridge" } },
    {
      ifname: "wan0",
      link: "eth0",
      address: "02:00:00:00:00:02",
      linkinfo: { info_kind: "macvlan", info_data: { mode: "vepa" } },
    },
    {
      ifname: "lb0",
      link: "br0",
      address: "02:00:00:00:00:03",
      linkinfo: { info_kind: "macvlan", info_data: { mode: "bridge" } },
    },
  ];
  const addresses = [{ ifname: "br0", addr_info: [{ family: "inet", local: "10.1.2.3", scope: "global" }] }];
  const routes = [{ dst: "default", gateway: "10.1.2.1", dev: "br0" }];
  const text = writeConfig(
    propose(foundFrom(links, addresses, routes, "node-1.example.lan"), "data", "/run/h/hub.sock"),
  );
  const { config } = parseConfig(text, "x.yaml");
  assert.deepEqual([config.link?.name, config.link?.parent, config.link?.mac], ["lb0", "br0", "02:00:00:00:00:03"]);
  assert.equal(config.host?.armed, false);
  assert.equal(config.hub.url, "http://10.1.2.3:8787");
  assert.equal(config.vantages["node-1"]?.where, "host");
});

test("a machine without iproute2, bridges or addresses still gets a valid configuration", () => {
  const text = writeConfig(propose(foundFrom(null, "?", { a: 1 }, ""), "data", "/run/h/hub.sock"));
  assert.equal(parseConfig(text, "x.yaml").config.link, undefined);
});
