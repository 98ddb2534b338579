import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { authority, HOST, resolverOnLoopback, type Web, websOnLoopback, ZONE } from "../support/agreement-servers.ts";
import { runHairpin } from "../support/command.ts";
import { type Listening, LOOPBACK } from "../support/probe-servers.ts";

/**
 * What the developer guidelines of the monitoring plugins ask for: one line, `WORD - text | 'label'=value[unit] …`, and the exit
 * code 0 OK, 1 WARNING, 2 CRITICAL or 3 UNKNOWN.
 */
const LINE = /^HAIRPIN (OK|WARNING|CRITICAL|UNKNOWN) - [^|\n]+(?: \|((?: '[^'=|]+'=\d+\.\d+s)*) ?)?\n$/;
const CODES = ["OK", "WARNING", "CRITICAL", "UNKNOWN"];

let folder = "";
let dns: Listening;
let webs: Readonly<Record<Web, Listening>>;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "hairpin-nagios-"));
  writeFileSync(join(folder, "ca.pem"), authority.certificate);
  [dns, webs] = await Promise.all([resolverOnLoopback(), websOnLoopback()]);
});
after(() => {
  for (const server of [dns, ...Object.values(webs)]) server.close();
  rmSync(folder, { recursive: true });
});

async function plugin(checks: readonly object[] | null, more: object = {}, args: readonly string[] = []) {
  const file = join(folder, "hairpin.yaml");
  const targets = checks === null ? {} : { dns: { address: LOOPBACK, checks } };
  writeFileSync(file, JSON.stringify({ site: "nagios", targets, control: { gateway: null }, ...more }));
  const { code, out, err } = await runHairpin(["check", ...args, "--config", file, "--nagios"], { cwd: folder });
  const [, word, data] = LINE.exec(out) ?? assert.fail(`no plugin's line: ${JSON.stringify(out)} ${err}`);
  assert.equal(word, CODES[code ?? -1]);
  return { code, out, labels: [...(data ?? "").matchAll(/'([^']+)'=/g)].map((match) => match[1]) };
}

const good = () => ({ dns: { name: `one.${ZONE}`, expect: ["10.1.2.3"], port: dns.port } });
const page = (more: object = {}) => ({ https: { host: HOST, port: webs.good.port, ca_file: "ca.pem", ...more } });

test("0 OK when all checks are good, with a time for each", async () => {
  const { code, labels } = await plugin([good(), page()]);
  assert.equal(code, 0);
  assert.deepEqual(labels, [`dns/dns:one.${ZONE}`, `dns/https:${HOST}`]);
});

test("1 WARNING when a certificate ends soon, and when only something upstream fails", async () => {
  const ending = await plugin([good(), page({ cert_days_min: 3_000 })]);
  assert.equal(ending.code, 1);
  assert.match(ending.out, /certificate ends in \d+ days/);
  const upstream = { dns: { name: `servfail.${ZONE}`, upstream: true, port: dns.port } };
  const { code, out } = await plugin([good(), upstream]);
  assert.equal(code, 1);
  assert.match(out, /dns_servfail/);
});

test("2 CRITICAL when a check fails, by its name and its failure", async () => {
  const { code, out, labels } = await plugin([good(), page({ port: webs.closed.port })]);
  assert.equal(code, 2);
  assert.match(out, new RegExp(`dns https:${HOST}: refused`));
  assert.equal(labels.length, 2);
});

test("3 UNKNOWN without targets, with a mistake in the file, for a target that is not there", async () => {
  assert.equal((await plugin(null)).code, 3);
  assert.equal((await plugin([good()], { treshold: 1 })).code, 3);
  assert.equal((await plugin([good()], {}, ["nowhere"])).code, 3);
});
