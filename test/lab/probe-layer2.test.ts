import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import type { RoundResult } from "../../src/probes/round.ts";
import { inNamespaces, skipReason } from "./namespaces.ts";

const skip = skipReason();
const [ONE, TWO] = ["02:00:00:00:00:11", "02:00:00:00:00:22"];

describe("layer 2, on a real bridge with real ARP", { skip }, () => {
  let rounds: Readonly<Record<"one" | "both" | "none" | "blind", RoundResult>>;
  before(() => {
    rounds = inNamespaces("probe-layer2");
  });
  const checkOf = (round: RoundResult, id: string) => round.checks.find((check) => check.id === id)!;
  const answers = (round: RoundResult) =>
    checkOf(round, "neighbour")
      .evidence?.answers?.map((answer) => answer.mac)
      .sort();

  test("the one machine that has the address answers who-has, and its closed ports refuse", () => {
    assert.equal(checkOf(rounds.one, "neighbour").failure, null);
    assert.deepEqual(answers(rounds.one), [ONE]);
    assert.equal(checkOf(rounds.one, "tcp").failure, "refused");
    assert.equal(checkOf(rounds.one, "dns").failure, "refused");
    assert.equal(rounds.one.control.ok, true);
  });

  test("two machines with one address are both heard", () => {
    assert.equal(checkOf(rounds.both, "neighbour").failure, "mac_conflict");
    assert.deepEqual(answers(rounds.both), [ONE, TWO]);
  });

  test("nobody there: every check says no_neighbour, though UDP and TCP only time out", () => {
    for (const check of rounds.none.checks.filter(({ target }) => target === "resolver"))
      assert.equal(check.failure, "no_neighbour", check.id ?? "");
    assert.deepEqual(answers(rounds.none), []);
    assert.equal(rounds.none.control.ok, true);
  });

  test("IPv6: one that answers, two that answer, and nobody, with the times", () => {
    const six = (round: RoundResult) => round.checks.find(({ target }) => target === "six")!;
    const macs = (round: RoundResult) =>
      six(round)
        .evidence?.answers?.map(({ mac }) => mac)
        .sort();
    assert.equal(six(rounds.one).failure, null, six(rounds.one).detail ?? "");
    assert.deepEqual(macs(rounds.one), [ONE]);
    assert.equal(typeof six(rounds.one).evidence?.answers?.[0]?.ms, "number");
    assert.equal(six(rounds.both).failure, "mac_conflict");
    assert.deepEqual(macs(rounds.both), [ONE, TWO]);
    assert.deepEqual([six(rounds.none).evidence?.asked, macs(rounds.none)], [true, []]);
    assert.equal(six(rounds.none).failure, "no_neighbour");
    assert.match(six(rounds.none).detail!, /nobody answers the neighbour solicitation for fd09::53/);
  });

  test("a vantage whose own path is broken says so", () => {
    assert.equal(rounds.blind.control.ok, false);
  });
});
