import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { House } from "../../src/core/config/house.ts";
import { assess } from "../../src/core/diagnosis.ts";
import { emptyView, recordFacts, recordObservation } from "../../src/core/history.ts";
import type { Where } from "../../src/core/plan.ts";
import { checksOf, factsOf, houseOf, type Sight } from "../support/house.ts";

/**
 * The full table: what three vantages, of every mix of kinds, make of an address that each finds fine, finds dead, or is not heard of.
 * The file beside it was reviewed by eye, row by row; HAIRPIN_REVIEW=1 writes it anew.
 */
const FILE = fileURLToPath(new URL("../golden/verdict-table.txt", import.meta.url));
const KINDS = ["vm", "lan", "routed"] as const satisfies readonly Where[];
const VERDICTS = ["ok", "failed", "unknown"] as const;
type Verdict = (typeof VERDICTS)[number];

const SILENT: Sight = { answers: [], table: null, fails: { dns: "no_reply", upstream: "no_reply", https: "no_reply" } };

function* threes<T>(of: readonly T[], isOrdered: boolean): Generator<readonly [T, T, T]> {
  for (const [first, a] of of.entries())
    for (const [second, b] of of.entries())
      for (const [third, c] of of.entries()) if (isOrdered || (first <= second && second <= third)) yield [a, b, c];
}

function houseWith(kinds: readonly Where[]): House {
  const vantages = Object.fromEntries(kinds.map((where, index) => [`v${index}`, { where, key_file: `k${index}` }]));
  return houseOf((config) => ({ ...config, vantages: { ...vantages, box: { where: "host", key_file: "k" } } }));
}

/** All were fine; then four quick rounds in which each finds what its verdict says. One that is not heard stopped before that. */
function assessed(kinds: readonly Where[], verdicts: readonly Verdict[]) {
  const house = houseWith(kinds);
  let [view, now, seq] = [emptyView(house, 10_000), 1_000_000, 0];
  const round = (index: number, sight: Sight) => {
    const checks = (["resolver", "proxy"] as const).flatMap((target) => checksOf(target, sight));
    const seen = kinds[index] === "routed" ? checks.filter((check) => check.check !== "neighbour") : checks;
    const observation = {
      ...{ type: "hairpin.observation.v1" as const, aud: "attic", vantage: `v${index}`, boot_id: "b", seq: ++seq },
      ...{ observed_at: "2026-11-24T10:00:00.000Z", mono_ms: now, control: { ok: true }, checks: seen },
    };
    view = recordObservation(view, observation, now, 0);
  };
  const facts = () => {
    view = recordFacts(view, "default", factsOf(), now);
  };
  facts();
  for (let count = 0; count < 3; count++, now += 1_000) for (const index of kinds.keys()) round(index, {});
  now += 35_000; // Longer than fresh: who is not heard after this is silent.
  for (let count = 0; count < 4; count++, now += 1_000)
    for (const [index, verdict] of verdicts.entries())
      if (verdict !== "unknown") round(index, verdict === "ok" ? {} : SILENT);
  facts();
  return assess(view, house, house.groups[0]!, { mono: now, wall: now });
}

function rows(): readonly string[] {
  const lines: string[] = [];
  for (const kinds of threes(KINDS, false)) {
    for (const verdicts of threes(VERDICTS, true)) {
      const { state, cause, votes, from } = assessed(kinds, verdicts);
      const seen = kinds.map((kind, index) => `${kind} ${verdicts[index]}`.padEnd(14)).join(" ");
      lines.push(`${seen} → ${state.padEnd(8)} ${(cause ?? "–").padEnd(14)} votes ${votes.length}  ${from ?? "–"}`);
    }
  }
  return lines;
}

test("every combination of three vantages and three verdicts has the class that was reviewed", () => {
  const text = `${rows().join("\n")}\n`;
  if (process.env["HAIRPIN_REVIEW"] === "1") writeFileSync(FILE, text);
  assert.equal(text, readFileSync(FILE, "utf8"));
});

test("in every combination silence casts no vote, and what one that can ask finds fine is never healed", () => {
  for (const kinds of threes(KINDS, false)) {
    for (const verdicts of threes(VERDICTS, true)) {
      const { votes, from } = assessed(kinds, verdicts);
      const place = `${kinds} ${verdicts}`;
      assert.ok(votes.length <= verdicts.filter((verdict) => verdict === "failed").length, place);
      // A routed one may go on by its router's cache while nobody answers: it contradicts nothing.
      const isFine = verdicts.some((verdict, index) => verdict === "ok" && kinds[index] !== "routed");
      if (isFine || !verdicts.includes("failed")) assert.equal(from, null, place);
    }
  }
});
