import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readableLine } from "../../src/runtime/node/log-lines.ts";

const MAIN = new URL("../../src/cli/main.ts", import.meta.url).pathname;
const at = Date.parse("2026-11-24T10:00:07Z");

test("a line for a person has the time, the sentence and the fields; what is empty is left out", () => {
  const line = JSON.stringify({
    level: 30,
    time: at,
    name: "hub",
    mono_ms: 12,
    event: "diagnosis",
    group: "lb0",
    state: "failing",
    cause: null,
    summary: "Nobody answers ARP for 192.0.2.1.",
    evidence: ["lan: nobody answers who-has 192.0.2.1.", "lb0 is up."],
    votes: [],
    msg: "diagnosis",
  });
  assert.equal(
    readableLine(line),
    "10:00:07 diagnosis: Nobody answers ARP for 192.0.2.1. group=lb0 state=failing\n         lan: nobody answers who-has 192.0.2.1.\n         lb0 is up.\n",
  );
  assert.equal(readableLine(JSON.stringify({ level: 50, time: at, msg: "no" })), "10:00:07 ERROR no\n");
  assert.equal(readableLine("not JSON"), "not JSON");
});

test("text of the network cannot move the terminal's cursor", () => {
  const line = readableLine(
    JSON.stringify({ level: 40, time: at, msg: "x", detail: "\u001b[2Jgone\r\u202e", field: "a\u0007b" }),
  );
  assert.equal(line.replace(/\n$/, "").search(/[\u0000-\u001f\u007f-\u009f\u202e]/), -1, JSON.stringify(line));
});

const hasScript = spawnSync("script", ["--version"], { stdio: "ignore" }).status === 0;

test("at a terminal the hub logs readable lines, with --json and into a pipe JSON", {
  skip: hasScript ? false : "script (bsdutils) is not here",
  timeout: 60_000,
}, async () => {
  const dir = mkdtempSync(join(tmpdir(), "hairpin-log-"));
  try {
    const config = join(dir, "hairpin.yaml");
    writeFileSync(config, `site: home\nhub: { listen: "unix:${dir}/hub.sock", data: data }\n`);
    const hub = async (...flags: string[]) => {
      const words = [process.execPath, MAIN, "hub", "--config", config, ...flags].join(" ");
      const child = spawn("script", ["-qec", `exec ${words}`, "/dev/null"], { stdio: ["pipe", "pipe", "inherit"] });
      const exit = new Promise((resolve) => child.once("exit", resolve));
      let seen = "";
      const ready = await new Promise<string>((resolve) => {
        const look = () => {
          const line = seen.split("\r\n").find((each) => /ready/.test(each));
          if (line !== undefined && seen.includes("\r\n")) resolve(line);
        };
        child.stdout.setEncoding("utf8").on("data", (text: string) => {
          seen += text;
          look();
        });
        child.once("exit", () => resolve(`it ended: ${seen}`));
      });
      child.stdin.write("\u0003"); // Ctrl-C at the terminal.
      await exit;
      return ready;
    };
    assert.match(await hub(), /^\d\d:\d\d:\d\d ready .*site=home/);
    assert.equal((JSON.parse(await hub("--json")) as { event?: string }).event, "ready");
  } finally {
    rmSync(dir, { recursive: true });
  }
});
