import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const LAUNCHER = fileURLToPath(new URL("../../src/cli/hairpin.mjs", import.meta.url));
const CACHE = fileURLToPath(new URL("../../src/cli/module-cache.mjs", import.meta.url));
const { moduleCache } = (await import(CACHE)) as { moduleCache: (env: NodeJS.ProcessEnv) => string | null };

function home(t: { after: (end: () => void) => void }): string {
  const directory = mkdtempSync(join(tmpdir(), "hairpin-home-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

test("compiled modules are kept in the home of the user who runs hairpin", (t) => {
  const directory = home(t);
  assert.equal(moduleCache({ HOME: directory }), join(directory, ".cache", "hairpin"));
  assert.equal(moduleCache({}), null, "no home, no cache");
});

test("no code is read from a place that somebody else can write", (t) => {
  for (const loose of ["", ".cache", ".cache/hairpin"]) {
    const directory = home(t);
    mkdirSync(join(directory, ".cache", "hairpin"), { recursive: true });
    chmodSync(join(directory, loose), 0o777);
    assert.equal(moduleCache({ HOME: directory }), null, `${loose || "home"} is open to all`);
  }
});

test("root does not read code from the home of another user, whom sudo left in the environment", {
  skip: process.getuid?.() === 0 ? false : "needs root to stand in another one's home",
}, (t) => {
  const directory = home(t);
  mkdirSync(join(directory, ".cache", "hairpin"), { recursive: true });
  const chown = spawnSync("chown", ["-R", "65534", directory]);
  assert.equal(chown.status, 0);
  assert.equal(moduleCache({ HOME: directory }), null);
});

test("a command leaves its modules there for the next one", (t) => {
  const directory = home(t);
  const run = spawnSync(process.execPath, [LAUNCHER, "--version"], {
    env: { PATH: process.env["PATH"], HOME: directory },
    encoding: "utf8",
  });
  assert.match(run.stdout, /^hairpin \d/, run.stderr);
  assert.ok(readdirSync(join(directory, ".cache", "hairpin")).length > 0);
});
