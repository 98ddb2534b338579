import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

const root = new URL("../../", import.meta.url).pathname;
const own = `node_modules/node-${process.platform}-${process.arch}`;

interface Locked {
  readonly version: string;
  readonly integrity: string;
  readonly optional?: boolean;
}

const LOCK: Readonly<Record<string, Locked>> = {
  "node_modules/a": { version: "1.0.0", integrity: "sha512-a" },
  "node_modules/other-platform": { version: "1.0.0", integrity: "sha512-o", optional: true },
  [own]: { version: "24.0.0", integrity: "sha512-n", optional: true },
};
const { "node_modules/other-platform": _, ...HERE } = LOCK;

/** Runs the bootstrap in a checkout whose npm only writes down that it was called. */
function installs(record: Readonly<Record<string, Locked>> | null): boolean {
  const dir = mkdtempSync(join(tmpdir(), "hairpin-bootstrap-"));
  try {
    for (const folder of ["deploy", "bin", "node_modules/.bin"]) mkdirSync(join(dir, folder), { recursive: true });
    cpSync(`${root}deploy/bootstrap.mjs`, join(dir, "deploy/bootstrap.mjs"));
    writeFileSync(join(dir, "bin/npm"), `#!/bin/sh\necho called >> "${dir}/called"\n`, { mode: 0o755 });
    writeFileSync(join(dir, "package-lock.json"), JSON.stringify({ packages: { "": {}, ...LOCK } }));
    if (record !== null)
      writeFileSync(join(dir, "node_modules/.package-lock.json"), JSON.stringify({ packages: record }));
    const run = () =>
      spawnSync(process.execPath, [join(dir, "deploy/bootstrap.mjs")], {
        encoding: "utf8",
        timeout: 20_000,
        env: { PATH: `${dir}/bin:${process.env["PATH"]}` },
      });
    const first = run();
    assert.equal(first.status, 0, first.stderr);
    const called = existsSync(join(dir, "called"));
    rmSync(join(dir, "called"), { force: true });
    assert.equal(run().status, 0);
    assert.equal(existsSync(join(dir, "called")), false, "a second command installs nothing");
    return called;
  } finally {
    rmSync(dir, { recursive: true });
  }
}

test("an install by hand is taken as it is, when npm's own record agrees with the lock", () => {
  assert.equal(installs(HERE), false);
  assert.equal(installs(LOCK), false);
});

test("without a record, or with another version, a package less or one too many, the bootstrap installs", () => {
  const a = LOCK["node_modules/a"]!;
  assert.equal(installs(null), true);
  assert.equal(installs({ ...HERE, "node_modules/a": { ...a, version: "1.0.1" } }), true);
  assert.equal(installs({ ...HERE, "node_modules/a": { ...a, integrity: "sha512-b" } }), true);
  assert.equal(installs({ ...HERE, "node_modules/b": a }), true);
  assert.equal(installs({ [own]: LOCK[own]! }), true);
  assert.equal(installs({ "node_modules/a": a }), true);
});
