import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { doctorPage } from "../../src/cli/doctor-page.ts";
import type { Examination } from "../../src/core/doctor/examination.ts";
import { houseOfPlan, parentOfPlan } from "../../src/core/doctor/from-plan.ts";
import { examine } from "../../src/core/doctor/report.ts";
import type { Plan } from "../../src/core/plan.ts";
import { planOf } from "../../src/engine/hub-plan.ts";
import { runHairpin } from "../support/command.ts";
import { checksOf, DNS, houseOf, LINK_MAC, OTHER_MAC, PARENT_MAC, type Sight, WEB } from "../support/house.ts";

const declared = houseOf();
const plan = planOf(declared, declared.vantages[0]!, { lb0: PARENT_MAC });
const directories: string[] = [];
after(() => {
  for (const directory of directories) rmSync(directory, { recursive: true });
});

function examOf(sight: Sight = {}, of: Plan = plan): Examination {
  return {
    house: houseOfPlan(of),
    file: "/var/lib/hairpin-vantage/plan.json",
    warnings: [],
    fromPlan: { plan: of, savedAt: "2026-11-24T10:00Z" },
    where: of.where,
    control: { ok: true, gateway_ms: 0.4 },
    checks: [...checksOf("resolver", sight), ...checksOf("proxy", sight)],
    ways: [DNS, WEB].map((address) => ({ address, way: "on_link", device: "eth0" })),
    names: [],
    neighbourOfHost: parentOfPlan(of),
    strangers: null,
    links: [],
    boot: null,
    homeAssistants: [],
    isHub: null,
  };
}

test("A vantage's plan alone is enough for the path, and says where it is from and what it cannot say", () => {
  const report = examine(examOf());
  assert.equal(report.ok, true);
  assert.equal(report.verdict, `${DNS} and ${WEB} are fine from here.`);
  const [first] = report.findings;
  assert.match(first!.text, /plan\.json says what to ask: site attic, vantage guest, 2 targets, as the hub gave it at/);
  assert.deepEqual(
    report.findings.filter((finding) => finding.state !== "good").map((finding) => finding.layer),
    ["tls", "receivers"],
    "no certificate was in what was seen here",
  );
  assert.ok(doctorPage(report, false).split("\n").length < 24, "it fits a terminal");
});

test("By the plan the causes have their names: nobody, the parent, a stranger, a wrong answer", () => {
  assert.equal(examine(examOf({ answers: [], table: LINK_MAC })).cause, "not_announced");
  assert.equal(examine(examOf({ answers: [PARENT_MAC] })).cause, "announced_on_parent");
  assert.equal(examine(examOf({ answers: [LINK_MAC, OTHER_MAC] })).cause, "mac_conflict");
  assert.equal(examine(examOf({ fails: { dns: "dns_wrong_answer" } })).cause, "answer_wrong");
  assert.equal(parentOfPlan(planOf(declared, declared.vantages[0]!)), null);
});

test("On the host's own vantage its checks of link and speaker are told", () => {
  const host = planOf(declared, { ...declared.vantages[0]!, where: "host" });
  const down = { target: "lb0", check: "link", id: "link", ok: false, failure: "link_down" } as const;
  const report = examine({ ...examOf({}, host), checks: [down] });
  assert.deepEqual(
    report.findings.filter((finding) => finding.state === "bad").map(({ layer, text }) => [layer, text]),
    [["link", "lb0: link_down."]],
  );
});

test("The command goes by the plan of --data, and says plainly when there is none", async () => {
  const server: Server = createServer((socket) => socket.end());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const directory = mkdtempSync(join(tmpdir(), "hairpin-doctor-"));
  directories.push(directory);
  const checks = [{ kind: "tcp", id: "tcp", port }];
  const targets = [{ name: "door", addresses: ["127.0.0.1"], mac: null, also: {}, checks }];
  writeFileSync(
    join(directory, "plan.json"),
    JSON.stringify({ etag: "x", plan: { ...plan, targets, control: { gateway: null, reference: null } } }),
  );
  const doctor = (...argv: readonly string[]) => runHairpin(["doctor", ...argv], { cwd: directory });
  const byPlan = await doctor("--data", directory, "--json");
  const empty = await doctor("--data", join(directory, "nothing"));
  server.close();
  assert.equal(byPlan.code, 0, byPlan.out + byPlan.err);
  const report = JSON.parse(byPlan.out) as { findings: { layer: string; text: string }[] };
  assert.ok(report.findings.some(({ layer, text }) => layer === "tcp" && text.includes(`127.0.0.1 port ${port}`)));
  assert.equal(empty.code, 2);
  assert.match(empty.out, /nothing\/plan\.json is not there/);
});
