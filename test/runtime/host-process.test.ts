import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { openJournal } from "../../src/host/journal.ts";
import { createProcesses, runProgram } from "../../src/runtime/node/exec.ts";
import { listen } from "../../src/runtime/node/host-server.ts";
import { openJournalDisk } from "../../src/runtime/node/journal.ts";
import { parseLinkLine } from "../../src/runtime/node/link-events.ts";
import { parseLinkTable, parsePacketSockets, parseReversePathDrops } from "../../src/runtime/node/link-facts.ts";

const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "hairpin-host-"));
after(() => rmSync(directory, { recursive: true, force: true }));

test("a command that hangs is killed at its time, with the children it started", async () => {
  const mark = join(directory, "child");
  const run = await runProgram("/bin/sh", ["-c", `sleep 30 & echo $! > ${mark}; wait`], { timeoutMs: 300 });
  assert.deepEqual([run.exit, run.note], [null, "killed after 0.3 s"]);
  assert.ok(run.ms < 5_000);
  const state = existsSync(`/proc/${readFileSync(mark, "utf8").trim()}/stat`)
    ? readFileSync(`/proc/${readFileSync(mark, "utf8").trim()}/stat`, "utf8")
    : "gone";
  assert.match(state, /gone|\) Z /);
});

test("a command that ends while its child holds the pipe is not waited for", async () => {
  const run = await runProgram("/bin/sh", ["-c", "sleep 30 & echo done"], { timeoutMs: 5_000 });
  assert.deepEqual([run.exit, run.stdout], [0, "done\n"]);
  assert.ok(run.ms < 3_000);
});

test("100 MB of output are read, and 4 KiB of them kept", async () => {
  const run = await runProgram("/bin/sh", ["-c", "head -c 100000000 /dev/zero | tr '\\0' x"]);
  assert.deepEqual([run.exit, run.stdout.length], [0, 4_096]);
});

test("a command runs with an empty environment, and a missing program is a result that says what to install", async () => {
  assert.equal((await runProgram("/usr/bin/env", [])).stdout, "");
  const report = await createProcesses(() => null).run("arping", ["-q"]);
  assert.equal(report.exit, null);
  assert.match(report.output, /arping is not installed: apt install arping/);
});

test("the journal's file survives being closed and opened, with a torn tail cut off", () => {
  const path = join(directory, "journal-a");
  const first = openJournalDisk(path);
  const journal = openJournal(first);
  assert.ok(journal.append({ kind: "tick", at: "x", ledger: 1 }));
  first.append(Buffer.from("\nabc"));
  first.close();
  assert.equal(statSync(join(path, "journal")).mode & 0o777, 0o600);
  const second = openJournal(openJournalDisk(path));
  assert.deepEqual([second.records.length, second.torn, second.health()], [1, true, "ok"]);
  assert.ok(second.append({ kind: "tick", at: "x", ledger: 2 }));
  assert.deepEqual(openJournal(openJournalDisk(path)).records.length, 2);
});

test("a stale socket is replaced, a living one and a plain file are left alone, and the mode is 0660", async () => {
  const path = join(directory, "host.sock");
  const dead = spawn(
    process.execPath,
    ["-e", `require("net").createServer().listen(${JSON.stringify(path)}, () => console.log("up"))`],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  await once(dead.stdout, "data");
  await assert.rejects(
    listen(`unix:${path}`, () => new Response("x")),
    /another process listens/,
  );
  dead.kill("SIGKILL");
  await once(dead, "exit");
  assert.ok(existsSync(path));
  const listening = await listen(`unix:${path}`, () => new Response("x"));
  assert.equal(statSync(path).mode & 0o777, 0o660);
  await listening.close();
  writeFileSync(join(directory, "plain"), "mine");
  await assert.rejects(
    listen(`unix:${join(directory, "plain")}`, () => new Response("x")),
    /no socket: it is left alone/,
  );
  assert.equal(readFileSync(join(directory, "plain"), "utf8"), "mine");
});

test("an address in use is said in a sentence", async () => {
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  const { port } = taken.address() as { port: number };
  await assert.rejects(
    listen(`127.0.0.1:${port}`, () => new Response("x")),
    /cannot listen on 127.0.0.1:\d+: EADDRINUSE/,
  );
  taken.close();
});

for (const [mode, why] of [
  [0o666, /can be written by others/],
  [0o620, /can be written by others/],
] as const) {
  test(`a configuration of mode ${mode.toString(8)} is refused with what to type`, () => {
    const file = join(directory, `config-${mode}.yaml`);
    writeFileSync(file, "site: x\nhost: {}\n");
    chmodSync(file, mode);
    const run = spawnSync(process.execPath, [MAIN, "host", "--config", file], { encoding: "utf8", timeout: 20_000 });
    assert.equal(run.status, 2);
    assert.match(run.stderr, why);
    assert.match(run.stderr, /chmod go-w/);
  });
}

test("a configuration without a host says so", () => {
  const file = join(directory, "none.yaml");
  writeFileSync(file, "site: x\n", { mode: 0o600 });
  const run = spawnSync(process.execPath, [MAIN, "host", "--config", file], { encoding: "utf8", timeout: 20_000 });
  assert.deepEqual([run.status, /no `host:` is declared/.test(run.stderr)], [2, true]);
});

test("lines of ip monitor are understood, and others are not taken for links", () => {
  const line =
    "Deleted 3: metallb0@bridge0: <BROADCAST,MULTICAST,M-DOWN> mtu 1500 qdisc noop state DOWN group default \\    link/ether f2:5a:5f:84:40:e9 brd ff:ff:ff:ff:ff:ff";
  assert.deepEqual(parseLinkLine(line, 5), {
    deleted: true,
    name: "metallb0",
    ifindex: 3,
    up: false,
    mac: "f2:5a:5f:84:40:e9",
    parent: "bridge0",
    atMono: 5,
  });
  assert.equal(parseLinkLine("2: bridge0: <BROADCAST,UP,LOWER_UP> mtu 1500", 5)?.up, true);
  assert.equal(parseLinkLine("192.168.8.1 dev bridge0 lladdr 02:00:00:00:00:01 REACHABLE", 5), null);
  assert.equal(parseLinkLine("", 5), null);
});

test("the kernel's tables are read: links, packet sockets, dropped by reverse path", () => {
  const table = parseLinkTable(
    JSON.stringify([
      {
        ifindex: 3,
        ifname: "metallb0",
        link: "bridge0",
        flags: ["UP"],
        address: "f2:5a:5f:84:40:e8",
        linkinfo: { info_kind: "macvlan", info_data: { mode: "bridge" } },
      },
    ]),
  );
  assert.deepEqual(table?.[0], {
    name: "metallb0",
    ifindex: 3,
    up: true,
    carrier: false,
    mac: "f2:5a:5f:84:40:e8",
    parent: "bridge0",
    master: null,
    kind: "macvlan",
    mode: "bridge",
    hairpin: null,
  });
  assert.equal(parseLinkTable("Dump was interrupted"), null);
  const packets =
    "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n000000003e1f 3      3    0806   7     1 0      0      1\n000000003e1e 3      3    0003   8     1 0      0      2\n";
  assert.deepEqual([...parsePacketSockets(packets)], [7]);
  assert.equal(parseReversePathDrops("TcpExt: A IPReversePathFilter B\nTcpExt: 1 42 3\nIpExt: X\nIpExt: 9\n"), 42);
  assert.equal(parseReversePathDrops("IpExt: X\nIpExt: 9\n"), null);
});
