import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { bootFindings } from "../../src/core/doctor/boot.ts";
import type { Examination, HomeAssistantSight, Resolved } from "../../src/core/doctor/examination.ts";
import { nameFindings } from "../../src/core/doctor/names.ts";
import { skewFindings } from "../../src/core/doctor/skew.ts";
import { tellingFindings } from "../../src/core/doctor/telling.ts";
import { isLocalCaller } from "../../src/core/doctor/webhook.ts";
import { bootUnit } from "../../src/host/persistence.ts";
import { lookAtBoot } from "../../src/runtime/node/doctor-boot.ts";
import { houseOf, LINK_MAC, WEB } from "../support/house.ts";

const link = houseOf().links[0]!;

/** What is found at boot with these files of a machine. */
function bootWith(files: Readonly<Record<string, string>>) {
  const root = mkdtempSync(join(tmpdir(), "hairpin-boot-"));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    return bootFindings(lookAtBoot(root), link);
  } finally {
    rmSync(root, { recursive: true });
  }
}

const NETDEV = "etc/systemd/network/10-lb0.netdev";
const netdev = (mac: string) => `[NetDev]\nName=lb0\nKind=macvlan\n${mac}\n[MACVLAN]\nMode=bridge\n`;

test("A link that nothing makes at boot is warned of", () => {
  assert.deepEqual(
    bootWith({}).map((finding) => finding.state),
    ["warning"],
  );
});

test("A networkd file with the declared MAC is good, one without is a warning, one with another is bad", () => {
  assert.equal(bootWith({ [NETDEV]: netdev(`MACAddress=${LINK_MAC.toUpperCase()}`) })[0]!.state, "good");
  assert.equal(bootWith({ [NETDEV]: netdev("") })[0]!.state, "warning");
  assert.equal(bootWith({ [NETDEV]: netdev("MACAddress=02:00:00:00:00:01") })[0]!.state, "bad");
});

test("A file in /etc hides the file of the same name in /usr/lib", () => {
  const found = bootWith({
    [NETDEV]: netdev(`MACAddress=${LINK_MAC}`),
    "usr/lib/systemd/network/10-lb0.netdev": netdev("MACAddress=02:00:00:00:00:01"),
  });
  assert.equal(found[0]!.state, "good");
});

test("The unit that link persist prints counts once it is enabled, and k0s has to come after it", () => {
  const [unit, ...dropins] = bootUnit(link);
  const files = { [unit!.path.slice(1)]: unit!.text };
  assert.match(bootWith(files)[0]!.evidence[0]!, /not enabled/);
  const enabled = { ...files, "etc/systemd/system/multi-user.target.wants/hairpin-link-lb0.service": "" };
  assert.equal(bootWith(enabled)[0]!.state, "good");
  const k0s = { "etc/systemd/system/k0sworker.service": "[Service]\nExecStart=/usr/bin/k0s worker\n" };
  assert.match(bootWith({ ...enabled, ...k0s })[0]!.text, /k0sworker\.service may start before lb0/);
  const ordered = Object.fromEntries(dropins.map((file) => [file.path.slice(1), file.text]));
  assert.equal(bootWith({ ...enabled, ...k0s, ...ordered })[0]!.state, "good");
});

test("The unit of deploy/host is known by its file of settings", () => {
  const found = bootWith({
    "etc/systemd/system/hairpin-link.service": "[Service]\nEnvironmentFile=/etc/default/hairpin-link\n",
    "etc/default/hairpin-link": "NAME=lb0\nPARENT=br-lan\n",
    "etc/systemd/system/multi-user.target.wants/hairpin-link.service": "",
  });
  assert.equal(found[0]!.state, "good");
});

const telling = (change: Partial<HomeAssistantSight>, isHub: boolean | null = true, house = houseOf()) => {
  const sight = { name: "home-assistant", origin: "http://10.9.8.10:8123", isNamed: false, status: 200, detail: null };
  return tellingFindings({ house, isHub, homeAssistants: [{ ...sight, ...change }] } as unknown as Examination);
};

test("Home Assistant's answers: 200 is good, 400 is an untrusted proxy, 405 is somebody else, none is nobody told", () => {
  assert.equal(telling({})[0]!.state, "good");
  assert.match(telling({ status: 400 })[0]!.text, /proxy .* does not trust/);
  assert.match(telling({ status: 405 })[0]!.text, /405/);
  assert.match(telling({ status: null, detail: "ECONNREFUSED" })[0]!.text, /does not answer/);
  assert.match(telling({ status: 307 })[0]!.text, /redirect is not followed/);
});

test("A report that was answered and not confirmed is warned of with every reason, and one that was confirmed is good", () => {
  const latest = {
    kind: "failing",
    state: "unconfirmed",
    last_status: 200,
    last_error: null,
    created_at: "2026-11-24T10:00:00Z",
  } as const;
  const [unheard] = telling({ reports: { confirmed_at: null, latest } });
  assert.equal(unheard!.state, "warning");
  assert.match(unheard!.text, /answered 200 and confirmed nothing so far/);
  for (const reason of [/webhook id/, /not local/, /starting/, /rest_command\.hairpin_ack/])
    assert.ok(unheard!.evidence.some((line) => reason.test(line)));
  const seen = { confirmed_at: "2026-11-24T10:00:01Z", latest: { ...latest, state: "confirmed" } } as const;
  assert.equal(telling({ reports: seen })[0]!.state, "good");
  assert.match(telling({ reports: { ...seen, latest } })[0]!.text, /last confirmed was at 2026-11-24T10:00:01Z/);
  const far = {
    confirmed_at: null,
    latest: { ...latest, state: "queued", last_status: 405, last_error: "405" },
  } as const;
  assert.match(telling({ reports: far })[0]!.text, /does not take POST/);
});

test("A hub that Home Assistant does not take for local is warned of, by Home Assistant's own list", () => {
  const words = (url: string) => telling({ origin: `http://${url}:8123` }).map((finding) => finding.text);
  assert.equal(words("192.168.8.10").length, 1);
  assert.match(words("100.100.1.2")[1]!, /100\.100\.1\.2 is not local/);
  const cases: [string, boolean | null][] = [
    ["10.1.2.3", true],
    ["172.31.0.1", true],
    ["172.32.0.1", false],
    ["169.254.1.1", true],
    ["100.64.0.1", false],
    ["203.0.113.9", false],
    ["[fd00::1]", true],
    ["fe80::1", true],
    ["2001:db8::1", false],
    ["home.example", null],
  ];
  for (const [address, local] of cases) assert.equal(isLocalCaller(address), local, address);
});

test("Only from the hub's machine is an unheard Home Assistant a fault", () => {
  assert.equal(telling({ status: null })[0]!.state, "bad");
  assert.equal(telling({ status: null }, false)[0]!.state, "warning");
});

test("A Home Assistant by name, and a receiver behind a guarded address or name, are warned of", () => {
  assert.equal(telling({ isNamed: true })[1]!.state, "warning");
  const house = houseOf((config) => ({
    ...config,
    hub: { resolvers: ["9.9.9.9"] },
    notify: [
      { ntfy: { url: `https://${WEB}/t` } },
      { webhook: { url: "https://AUTH.attic.lan/x" } },
      { ntfy: { url: "https://ntfy.example/t" } },
    ],
  }));
  const found = telling({}, true, house).filter((finding) => finding.layer === "receivers");
  assert.deepEqual(
    found.map((finding) => /notify\.(\w+)/.exec(finding.text)?.[1]),
    ["ntfy", "webhook"],
  );
});

test("A name is judged by both resolvers, and a silent resolver is not a verdict", () => {
  const right: Resolved = { ok: true, addresses: [WEB] };
  const wrong: Resolved = { ok: true, addresses: ["203.0.113.9"] };
  const silent: Resolved = { ok: false, absent: false, detail: "ETIMEOUT" };
  const state = (libc: Resolved, cares: Resolved) =>
    nameFindings([{ name: "auth.attic.lan", wanted: [WEB], libc, cares }])[0]!;
  assert.equal(state(right, right).state, "good");
  assert.equal(state(silent, silent).state, "unknown");
  assert.match(state(right, wrong).text, /disagree/);
  assert.match(state(wrong, wrong).text, /does not lead to/);
});

test("A provider's clock is told from the seconds on at which a login fails, ahead or behind", () => {
  const seen = (skew_s: number | null) =>
    skewFindings([{ target: "proxy", check: "oidc", ok: true, evidence: { skew_s } }]).map(({ text }) => text);
  assert.deepEqual([seen(null), seen(6), seen(-6)], [[], [], []]);
  assert.match(seen(-125)[0]!, /^The clock of proxy is 125 s behind this machine's/);
  assert.match(seen(7)[0]!, /7 s ahead of/);
});
