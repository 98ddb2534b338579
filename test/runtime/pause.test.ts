import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { hostApp } from "../../src/hooks/host.ts";
import { followPause } from "../../src/host/pause.ts";
import { listen } from "../../src/runtime/node/host-server.ts";
import { createHostLink } from "../../src/runtime/node/hub-host-link.ts";
import { removePause, writePause } from "../../src/runtime/node/pause-file.ts";

const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "hairpin-pause-"));
after(() => rmSync(directory, { recursive: true, force: true }));

const hairpin = (run: string, ...args: string[]) =>
  spawnSync(process.execPath, [MAIN, ...args], {
    encoding: "utf8",
    timeout: 20_000,
    cwd: directory,
    env: { PATH: process.env["PATH"], HAIRPIN_RUN: run },
  });

/** What the host process makes of the file. */
const paused = (run = directory) => {
  const read = () => {
    try {
      return { text: readFileSync(join(run, "pause"), "utf8"), ageMillis: 0 };
    } catch {
      return null;
    }
  };
  return followPause({ read }, { mono: () => 5, wall: () => Date.now(), after: () => () => {} })();
};

test("pause --host writes what the host reads, in one move and readable by it; resume --host ends it, also twice", () => {
  const run = hairpin(directory, "pause", "--host", "--for", "2h", "--reason", 'new "switch"', "--json");
  assert.equal(run.status, 0, run.stderr);
  const { until } = JSON.parse(run.stdout) as { until: string };
  assert.ok(Math.abs(Date.parse(until) - Date.now() - 7_200_000) < 20_000);
  assert.deepEqual(
    [paused()?.reason, Math.abs(Date.parse(paused()!.until) - Date.parse(until)) < 2_000],
    ['new "switch"', true],
  );
  assert.deepEqual(readdirSync(directory), ["pause"]);
  assert.equal(statSync(join(directory, "pause")).mode & 0o777, 0o644);
  assert.deepEqual([hairpin(directory, "resume", "--host").status, paused()], [0, null]);
  assert.equal(hairpin(directory, "resume", "--host").status, 0);
});

test("without a hub the pause is this host's, and it is said; where no host runs nothing can be told", () => {
  const run = hairpin(directory, "pause", "--url", "http://127.0.0.1:1");
  assert.equal(run.status, 0, run.stderr);
  assert.match(run.stderr, /no answer from the hub/);
  assert.match(run.stdout, /paused on this host until/);
  assert.ok(paused() !== null);
  assert.equal(hairpin(directory, "resume", "--url", "http://127.0.0.1:1").status, 0);
  assert.equal(paused(), null);
  const nowhere = hairpin(join(directory, "none"), "pause", "--url", "http://127.0.0.1:1");
  assert.deepEqual([nowhere.status, nowhere.stdout], [3, ""]);
  assert.match(hairpin(join(directory, "none"), "pause", "--host").stderr, /run directory/);
  for (const wanted of ["25h", "0s", "soon", "1"])
    assert.equal(hairpin(directory, "pause", "--host", "--for", wanted).status, 2, wanted);
});

test("orders of the hub arrive at the host's hook over its socket", async () => {
  const socket = join(directory, "host.sock");
  let closed = 0;
  const app = hostApp({
    host: {
      submit: () => Promise.reject(new Error("not asked")),
      find: () => null,
      facts: async () => null,
      heard: () => {},
      resetBreaker: () => {
        closed++;
        return true;
      },
      pause: (forMillis, reason) => writePause(directory, forMillis, reason),
      resume: () => removePause(directory),
    },
    verify: null,
    log: () => {},
  });
  const listening = await listen(`unix:${socket}`, (request) => app.fetch(request));
  const link = createHostLink(`unix:${socket}`, []);
  const taken = { kind: "answer", value: null };
  assert.deepEqual(await link.order?.({ kind: "pause", forMillis: 3_600_000, reason: "x" }), taken);
  assert.equal(paused()?.reason, "x");
  assert.deepEqual(await link.order?.({ kind: "resume" }), taken);
  assert.equal(paused(), null);
  assert.deepEqual([await link.order?.({ kind: "reset_breaker" }), closed], [taken, 1]);
  await listening.close();
  assert.equal((await link.order?.({ kind: "resume" }))?.kind, "unreachable");
  link.close();
});
