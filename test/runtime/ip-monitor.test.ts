import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { followMonitor } from "../../src/runtime/node/ip-monitor.ts";

test("a monitor that ends is started again, tells of each start, and not after its stop", async () => {
  const directory = mkdtempSync(join(tmpdir(), "hairpin-monitor-"));
  const ip = join(directory, "ip");
  writeFileSync(ip, '#!/bin/sh\nprintf "%s\\n" "$*"\nprintf "half a li"\n', { mode: 0o755 });
  const heard: string[] = [];
  let starts = 0;
  try {
    await new Promise<void>((resolve) => {
      const monitor = followMonitor(
        ip,
        "neigh",
        (lines) => heard.push(...lines),
        () => {
          starts++;
          if (starts < 2) return;
          // The first call comes from within followMonitor itself, this one does not.
          assert.equal(monitor.isRunning(), true);
          monitor.stop();
          assert.equal(monitor.isRunning(), false);
          resolve();
        },
      );
    });
    assert.deepEqual(new Set(heard), new Set(["-o monitor neigh"]));
    assert.equal(starts, 2);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test("where it cannot be started it does not run, and nothing is thrown", async () => {
  let starts = 0;
  const monitor = followMonitor(
    "/nonexistent/ip",
    "neigh",
    () => assert.fail("nothing to hear"),
    () => starts++,
  );
  while (monitor.isRunning()) await new Promise((resolve) => setImmediate(resolve));
  monitor.stop();
  assert.equal(starts, 1);
});
