import assert from "node:assert/strict";
import { test } from "node:test";
import { doctorPage } from "../../src/cli/doctor-page.ts";
import { CAUSES, type Cause } from "../../src/core/cause.ts";
import type { Examination } from "../../src/core/doctor/examination.ts";
import { houseOfPlan } from "../../src/core/doctor/from-plan.ts";
import { type HubSight, type HubWords, hubWordsOf } from "../../src/core/doctor/hub-sight.ts";
import { join, type Named } from "../../src/core/doctor/joining.ts";
import { examine } from "../../src/core/doctor/report.ts";
import { planOf } from "../../src/engine/hub-plan.ts";
import { examOf } from "../support/examination.ts";
import { houseOf, LINK_MAC, type Sight } from "../support/house.ts";

const URL = "http://10.9.8.1:8787";
const SINCE = "2026-11-24T10:00:02.000Z";
type Seen = "ok" | "failed" | "unknown" | "silent" | "control_failed";

/** A hub's status of the house, with what each of its vantages sees of every target. */
function words(cause: Cause | null, seen: Readonly<Record<string, Seen>>, change: Partial<HubWords> = {}): HubWords {
  const summary = cause === null ? "All 2 addresses are fine." : `The hub's sentence of ${cause}.`;
  const state = cause === null ? "ok" : "failing";
  const since = cause === null ? null : SINCE;
  const verdicts = Object.fromEntries(
    Object.entries(seen).map(([name, saw]) => [
      name,
      { state: saw === "silent" || saw === "control_failed" ? "unknown" : saw },
    ]),
  );
  const heard = (saw: Seen) => (saw === "silent" || saw === "control_failed" ? saw : "ok");
  const vantages = Object.entries(seen).map(([name, saw]) => [name, { where: "lan", state: heard(saw) }]);
  const target = { group: "lb0", vantages: verdicts };
  const said = hubWordsOf({
    site: "attic",
    state,
    cause,
    summary,
    since,
    advice: cause === null ? null : "the hub's command",
    evidence: cause === null ? [] : ["The hub's evidence."],
    groups: { lb0: { state, cause, summary, since } },
    targets: { resolver: target, proxy: target },
    vantages: Object.fromEntries(vantages),
    heal: { host: "armed" },
  });
  assert.ok(said !== null);
  return { ...said, ...change };
}

/** The same sight of both targets, and what the hub says to it. */
function examWith(hub: HubSight, sight: Sight = {}, change: Partial<Examination> = {}): Examination {
  return examOf({ resolver: sight, proxy: sight }, { hub, isHub: false, ...change });
}

const answered = (says: HubWords): HubSight => ({ kind: "answered", address: URL, says });
const LOST: Sight = { fails: { dns: "no_reply", upstream: "no_reply", https: "no_reply" } };

test("A VM alone sees packets that are lost; with the hub's word it is the VM's path, from which vantages it is known, and exit 1", () => {
  assert.equal(examine(examWith({ kind: "silent", address: URL, detail: "none" }, LOST)).cause, "not_forwarded");
  const report = examine(examWith(answered(words("vm_path", { guest: "failed", desk: "ok" })), LOST));
  assert.equal(report.cause, "vm_path");
  assert.equal(report.verdict, "The hub's sentence of vm_path.");
  assert.equal(
    report.evidence[0],
    `How it is known: by the hub, from guest (fails) and desk (fine), since 2026-11-24T10:00:02Z.`,
  );
  assert.match(report.evidence.at(-1)!, /^From here: The right MAC answers/);
  assert.equal(report.advice, "the hub's command");
  assert.equal(report.blind, false);
  assert.equal(report.ok, false);
});

test("A vantage that fell silent is named although everything is fine from here", () => {
  const says = words("vantage_silent", { guest: "ok", desk: "silent" }, { state: "ok" });
  const report = examine(examWith(answered(says)));
  assert.equal(report.cause, "vantage_silent");
  assert.equal(report.ok, false);
  assert.match(report.evidence[0]!, /by the hub, from desk \(not heard\) and guest \(fine\)/);
  assert.equal(report.evidence.at(-1), "The addresses are fine from here.");
});

test("A silent vantage does not come before what fails here", () => {
  const says = words("vantage_silent", { guest: "ok", desk: "silent" }, { state: "ok" });
  const report = examine(examWith(answered(says), { answers: [], table: LINK_MAC }));
  assert.equal(report.cause, "not_announced");
  assert.ok(report.evidence.some((line) => line.startsWith("The hub says otherwise (vantage_silent)")));
});

test("A machine without its gateway cannot tell; a hub that answers it and knows the LAN's path can", () => {
  const cut = { control: { ok: false, detail: "no answer" } } as const;
  const alone = examine(examWith({ kind: "silent", address: URL, detail: "none in 3000 ms" }, LOST, cut));
  assert.equal(alone.blind, true);
  assert.match(alone.verdict, /^This machine does not reach its own gateway/);
  const both = examine(examWith(answered(words("lan_path", { guest: "ok", desk: "silent" })), LOST, cut));
  assert.equal(both.cause, "lan_path");
  assert.equal(both.blind, false);
  const agreed = examine(examWith(answered(words("site_network", { guest: "control_failed" })), LOST, cut));
  assert.equal(agreed.cause, "site_network");
  assert.equal(agreed.blind, false, "two have found it");
});

test("A hub that finds nothing leaves what is seen here, and the contradiction is said", () => {
  const says = words(null, { guest: "ok", desk: "ok" });
  const report = examine(examWith(answered(says), { answers: [], table: LINK_MAC }));
  assert.equal(report.cause, "not_announced");
  assert.match(report.evidence.at(-1)!, /^The hub sees nothing of it, and calls it fine from guest and desk/);
  assert.equal(report.findings.find((finding) => finding.layer === "hub")?.state, "warning");
  const early = { ...says, state: "suspect", groups: { lb0: { ...says.groups["lb0"]!, state: "suspect" } } };
  assert.match(examine(examWith(answered(early), LOST)).evidence.at(-1)!, /waits for more rounds/);
});

test("A healthy house with its hub: no bad finding, no cause, and it fits a terminal", () => {
  const report = examine(examWith(answered(words(null, { guest: "ok", desk: "ok" }))));
  assert.equal(report.ok, true);
  assert.equal(report.findings.find((finding) => finding.layer === "hub")?.state, "good");
  assert.ok(doctorPage(report, false).split("\n").length < 24);
});

test("Another node that announces is fine, whoever says it", () => {
  const says = words("announced_elsewhere", { guest: "ok" }, { state: "ok" });
  assert.equal(examine(examWith(answered(says))).ok, true);
});

test("A hub that does not answer is one line; where it should run itself, it is what is wrong", () => {
  const silent = { kind: "silent", address: URL, detail: "nothing listens there (ECONNREFUSED)" } as const;
  const afar = examine(examWith(silent));
  assert.equal(afar.ok, true);
  assert.deepEqual(
    afar.findings.filter((finding) => finding.layer === "hub").map((finding) => finding.state),
    ["warning"],
  );
  const there = examine(examWith(silent, {}, { isHub: true }));
  assert.equal(there.ok, false);
  assert.match(there.verdict, /fine from here, and something else is not: The hub at .* does not answer/);
  assert.match(there.findings.find((finding) => finding.layer === "hub")!.advice!, /systemctl status hairpin-hub/);
});

test("A hub that wants a token, and one of another site, are said and not gone by", () => {
  const refused = examine(
    examWith({
      kind: "refused",
      address: URL,
      detail: "it answered 401 (no token)",
      advice: "hairpin doctor --token-file FILE",
    }),
  );
  assert.equal(refused.ok, true);
  assert.match(refused.findings.find((finding) => finding.layer === "hub")!.advice!, /--token-file/);
  const other = examine(examWith(answered({ ...words("vm_path", { guest: "failed" }), site: "cellar" })));
  assert.equal(other.cause, null);
  assert.match(other.findings.find((finding) => finding.layer === "hub")!.text, /of the site cellar/);
});

test("A hub that hears no host says so at every vantage, with what to type on the node", () => {
  const says = { ...words(null, { guest: "ok" }), heal: { host: "silent" } } as const;
  const finding = examine(examWith(answered(says))).findings.find((each) => each.layer === "host_process");
  assert.equal(finding?.state, "warning");
  assert.equal(finding?.advice, "systemctl status hairpin-host   # on nodeone");
});

test("By the plan alone the hub's commands are better than those with LINK and BRIDGE in them", () => {
  const declared = houseOf();
  const plan = planOf(declared, declared.vantages[0]!, {});
  const says = words("not_announced", { guest: "failed", desk: "failed" });
  const change = { house: houseOfPlan(plan), fromPlan: { plan, savedAt: null } };
  const report = examine(examWith(answered(says), { answers: [], table: LINK_MAC }, change));
  assert.equal(report.cause, "not_announced");
  assert.equal(report.advice, "the hub's command");
  assert.match(report.evidence.at(-1)!, /^The hub says the same, from guest \(fails\) and desk \(fails\)/);
});

const group = houseOf().groups[0]!;
const local = (cause: Cause): Named => ({ group: "lb0", cause, summary: "s", evidence: [], advice: "a", by: "here" });

test("Of any two causes one stands first, and the other is said beside it", () => {
  for (const here of CAUSES)
    for (const there of CAUSES)
      for (const where of ["vm", "lan", "routed", "host"] as const) {
        const { named } = join(group, local(here), words(there, { guest: "failed" }), { where, isByPlan: false });
        assert.ok(named !== null && [here, there].includes(named.cause), `${here} ${there}`);
        if (here !== there && there !== "announced_elsewhere")
          assert.match(named.evidence.join(" "), /From here: s|The hub says otherwise/, `${here} ${there}`);
      }
});

test("What the host reads from its own kernel stands against a comparison; what nearer the root the hub knows stands first", () => {
  const ask = (here: Cause, there: Cause, where: "vm" | "host") =>
    join(group, local(here), words(there, { guest: "failed" }), { where, isByPlan: false }).named?.cause;
  assert.equal(ask("not_announced", "vm_path", "host"), "not_announced");
  assert.equal(ask("not_announced", "vm_path", "vm"), "vm_path");
  assert.equal(ask("not_announced", "no_endpoints", "vm"), "no_endpoints");
  assert.equal(ask("mac_conflict", "not_announced", "vm"), "mac_conflict");
  assert.equal(ask("link_missing", "not_announced", "host"), "link_missing");
  assert.equal(ask("certificate", "vm_path", "vm"), "vm_path");
  assert.equal(ask("unclassified", "vantage_silent", "vm"), "unclassified", "whatever fails at an address goes first");
});

test("What is no status of a hub is none, and text of the network is shown as escapes", () => {
  for (const body of [null, "", [], {}, { state: "ok" }]) assert.equal(hubWordsOf(body), null);
  const said = words("vm_path", { guest: "failed" });
  assert.equal(hubWordsOf({ ...said, cause: "of_a_later_hub" })?.cause, "unclassified");
  assert.equal(hubWordsOf({ ...said, summary: "a\u001b[31m" })?.summary, "a\\u001b[31m");
  assert.equal(hubWordsOf({ ...said, advice: "one\ntwo" })?.advice, "one\ntwo");
});
