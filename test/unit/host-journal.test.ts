import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeJournal, encodeLine, type JournalRecord, openJournal } from "../../src/host/journal.ts";
import { openLedger } from "../../src/host/ledger.ts";
import { memoryDisk } from "../support/host-ports.ts";

const intent = (id: string, ledger = 0): JournalRecord => ({
  kind: "intent",
  at: "2026-11-24T10:00:00.000Z",
  ledger,
  id,
  step: "announce",
  by: "hub",
  link: "metallb0",
  epoch: 1,
});
const bytesOf = (...records: JournalRecord[]) => Buffer.concat(records.map(encodeLine));
const report = (id: string, state: "done" | "failed") => ({
  id,
  step: "announce" as const,
  state,
  refusal: null,
  detail: "ü\n\u0000",
  started_at: null,
  ms: 1,
  commands: [],
  advice: null,
});

test("a tail torn at any byte is skipped, reported, and cut off before the next line", () => {
  const whole = bytesOf(intent("a"), intent("b"));
  const first = bytesOf(intent("a")).length;
  for (let length = first; length < whole.length; length++) {
    const disk = memoryDisk(whole.subarray(0, length));
    const journal = openJournal(disk);
    assert.equal(journal.health(), "ok", `at byte ${length}`);
    assert.equal(journal.torn, length > first, `at byte ${length}`);
    assert.deepEqual(
      journal.records.map((record) => record.kind === "intent" && record.id),
      ["a"],
    );
    assert.ok(journal.append(intent("c")));
    const again = decodeJournal(disk.content());
    assert.equal(again.unreadable, null, `at byte ${length}`);
    assert.equal(again.records.length, 2);
  }
});

test("a journal whose first line is torn at any byte is empty, not unreadable", () => {
  const whole = bytesOf(intent("a"));
  for (let length = 1; length < whole.length; length++) {
    const decoded = decodeJournal(whole.subarray(0, length));
    assert.deepEqual([decoded.records.length, decoded.torn, decoded.unreadable], [0, true, null], `at byte ${length}`);
  }
});

test("a byte changed anywhere in the middle makes the journal unreadable, and nothing is appended any more", () => {
  const good = bytesOf(intent("a"), intent("b"), intent("c"));
  const middle = bytesOf(intent("a")).length;
  const end = bytesOf(intent("a"), intent("b")).length;
  for (let at = middle + 1; at < end; at++) {
    const bytes = Buffer.from(good);
    bytes[at] = bytes[at]! ^ 0x01;
    const disk = memoryDisk(bytes);
    const journal = openJournal(disk);
    assert.equal(journal.health(), "unreadable", `at byte ${at}`);
    assert.equal(journal.append(intent("d")), false);
    assert.deepEqual(disk.content(), bytes, "an unreadable journal is evidence: it is left as it is");
  }
});

test("a file that somebody else wrote is refused", () => {
  assert.equal(openJournal(memoryDisk(Buffer.from("hello\nworld\n"))).health(), "unreadable");
});

test("creation flushes the file and then its directory; each line is flushed before append returns", () => {
  const disk = memoryDisk(null);
  const journal = openJournal(disk);
  assert.deepEqual(disk.calls, ["append", "sync", "syncDirectory"]);
  assert.ok(journal.append(intent("a")));
  assert.deepEqual(disk.calls.slice(3), ["append", "sync"]);
});

test("a full disk refuses the line, leaves no half of it behind, and recovers", () => {
  const disk = memoryDisk(null);
  const journal = openJournal(disk);
  disk.fail = "append";
  assert.equal(journal.append(intent("a")), false);
  assert.equal(journal.health(), "unwritable");
  disk.fail = null;
  assert.ok(journal.append(intent("b")));
  assert.equal(journal.health(), "ok");
  assert.deepEqual(decodeJournal(disk.content()).records.length, 1);
});

test("budget, epoch, breaker, former MACs and results come back from the journal; time that was not seen does not refill the budget", () => {
  let mono = 0;
  const disk = memoryDisk(null);
  const first = openLedger(
    openJournal(disk),
    () => mono,
    () => 0,
  );
  first.write({ kind: "open", boot: "one", macs: { metallb0: "02:00:00:00:00:01" } });
  for (const id of ["a", "b", "c"]) {
    mono += 60_000;
    first.write({ kind: "intent", id, step: "announce", by: "hub", link: "metallb0", epoch: 7 });
    first.write({ kind: "end", report: report(id, "failed") });
  }
  assert.equal(first.breaker().open, true);
  mono += 10 * 3_600_000;
  const second = openLedger(
    openJournal(disk),
    () => mono,
    () => 0,
  );
  assert.equal(second.spent("hub", 3_600_000), 3);
  assert.equal(second.epoch(null), 7);
  assert.equal(second.breaker().open, true);
  assert.equal(second.report("b")?.state, "failed");
  second.write({ kind: "open", boot: "two", macs: { metallb0: "02:00:00:00:00:02" } });
  assert.deepEqual(second.formerMacs("metallb0"), ["02:00:00:00:00:01"]);
  second.write({ kind: "breaker", open: false, why: null });
  const third = openLedger(
    openJournal(disk),
    () => mono,
    () => 0,
  );
  assert.equal(third.breaker().open, false);
});

test("a journal that has grown long is rewritten with everything that counts, and keeps its unfinished intents untouched", () => {
  let mono = 0;
  const disk = memoryDisk(null);
  const ledger = openLedger(
    openJournal(disk),
    () => mono,
    () => 0,
  );
  ledger.write({ kind: "mac", link: "metallb0", mac: "02:00:00:00:00:09" });
  const output = "x".repeat(4_000);
  for (let index = 0; index < 300; index++) {
    mono += 60_000;
    ledger.write({
      kind: "intent",
      id: `g${index}`,
      step: "ensure-link",
      by: index % 100 === 99 ? "hub" : "guard",
      link: "metallb0",
      epoch: index < 150 ? 5 : 3,
      hub: index < 150 ? "old.a" : "new.b",
    });
    ledger.write({
      kind: "end",
      report: { ...report(`g${index}`, "done"), commands: [{ argv: ["ip"], ms: 1, exit: 0, output }] },
    });
  }
  assert.ok(disk.content().length > 1_048_576);
  ledger.compact();
  assert.ok(disk.content().length < 400_000, `${disk.content().length} bytes`);
  const after = openLedger(
    openJournal(disk),
    () => mono,
    () => 0,
  );
  assert.equal(after.spent("hub", 86_400_000), ledger.spent("hub", 86_400_000));
  assert.equal(after.guardRuns("metallb0", 600_000), ledger.guardRuns("metallb0", 600_000));
  assert.deepEqual([after.epoch("new.c"), after.epoch("old.c"), after.epoch(null)], [3, 5, 5]);
  assert.equal(after.holder(), "new.b");
  assert.deepEqual(after.formerMacs("metallb0"), ["02:00:00:00:00:09"]);
  assert.equal(after.report("g299")?.state, "done");
  assert.deepEqual(after.openIntents(), []);
});
