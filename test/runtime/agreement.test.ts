import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { CheckResult } from "../../src/core/observation.ts";
import {
  authority,
  HOST,
  MANY,
  resolverOnLoopback,
  tlsResolversOnLoopback,
  type Web,
  websOnLoopback,
  ZONE,
} from "../support/agreement-servers.ts";
import {
  askCurl,
  askCurlOidc,
  askDig,
  askDigOverTls,
  missingTools,
  selfSigned,
  type ToolSays,
} from "../support/agreement-tools.ts";
import { runHairpin } from "../support/command.ts";
import { type Listening, LOOPBACK } from "../support/probe-servers.ts";

/** One thing that is asked by `hairpin check` and by a tool of the system. */
interface Case {
  readonly what: string;
  readonly check: Readonly<Record<string, unknown>>;
  /** What must come out of both, so that they cannot be wrong together. */
  readonly failure: string | null;
  readonly ask: () => Promise<ToolSays>;
}

type Webs = Readonly<Record<Web, Listening>>;
interface Places {
  readonly dns: number;
  readonly webs: Webs;
  readonly resolvers: Awaited<ReturnType<typeof tlsResolversOnLoopback>>;
  readonly caFile: string;
}

interface DnsAbout {
  readonly type?: string;
  readonly expect?: readonly string[];
  readonly transport?: "udp" | "tcp" | "tls";
  readonly port?: number;
  readonly ad?: boolean;
  readonly rrsig?: boolean;
}

function dnsCases({ dns, webs }: Places): Case[] {
  const of = (what: string, label: string, failure: string | null, about: DnsAbout = {}): Case => {
    const question = { type: "A", transport: "udp", port: dns, name: `${label}.${ZONE}`, ...about } as const;
    return {
      what: `DNS: ${what}`,
      check: { dns: question },
      failure,
      ask: () => askDig({ ...question, expect: about.expect ?? null }),
    };
  };
  return [
    of("an address", "one", null, { expect: ["10.1.2.3"] }),
    of("an address over TCP", "one", null, { expect: ["10.1.2.3"], transport: "tcp" }),
    of("an address of IPv6", "six", null, { type: "AAAA", expect: ["fd00::1"] }),
    of("behind two CNAMEs", "chain", null, { expect: ["10.1.2.9"] }),
    of("the first CNAME itself", "chain", "dns_wrong_answer", { type: "CNAME", expect: [`link.${ZONE}`] }),
    of("a text in two parts", "text", null, { type: "TXT", expect: ["v=spf1 -all"] }),
    of("two mail servers", "mail", null, { type: "MX", expect: [`20 mx2.${ZONE}`, `10 mx1.${ZONE}.`] }),
    of("a service", "service", null, { type: "SRV", expect: [`1 5 443 ${HOST}`] }),
    of("three addresses", "several", null, { expect: ["10.1.2.4", "10.1.2.3", "10.1.2.5"] }),
    of("one address less than declared", "one", "dns_wrong_answer", { expect: ["10.1.2.3", "10.1.2.4"] }),
    of("one address more than declared", "several", "dns_wrong_answer", { expect: ["10.1.2.3", "10.1.2.4"] }),
    of("another address than declared", "one", "dns_wrong_answer", { expect: ["203.0.113.7"] }),
    of("any address", "several", null),
    of("a name in capitals", "ONE", null, { expect: ["10.1.2.3"] }),
    of("no such name", "nowhere", "dns_nxdomain"),
    of("SERVFAIL", "servfail", "dns_servfail"),
    of("SERVFAIL over TCP", "servfail", "dns_servfail", { transport: "tcp" }),
    of("REFUSED", "refused", "dns_refused"),
    of("NOTIMP", "notimp", "dns_refused"),
    of("a name without records", "empty", "dns_empty"),
    of("a name without records of the type", "six", "dns_empty", { expect: ["10.1.2.3"] }),
    of("a CNAME that leads nowhere", "only-cname", "dns_empty"),
    of("60 addresses, cut off over UDP", "many", null, { expect: MANY }),
    of("cut off, and TCP hangs up", "cut", "dns_truncated"),
    of("a record of another name beside it", "beside", null, { expect: ["10.1.2.3"] }),
    of("a service binding", "binding", null, { type: "HTTPS", expect: ["1 . alpn=h2,h3 port=8443"] }),
    of("the authorities that may issue", "issuers", null, { type: "CAA", expect: ['0 issue "ca.example"'] }),
    of("the start of a zone", "start", null, {
      type: "SOA",
      expect: [`ns.${ZONE} hostmaster.${ZONE} 7 3600 600 86400 60`],
    }),
    of("an answer that is vouched for", "vouched", null, { ad: true }),
    of("an answer that nobody vouches for", "one", "dns_wrong_answer", { ad: true }),
    of("an answer with its signature", "signed", null, { rrsig: true, expect: ["10.1.2.3"] }),
    of("an answer without a signature", "one", "dns_wrong_answer", { rrsig: true }),
    of("silence", "silent", "no_reply"),
    of("silence over TCP", "silent", "no_reply", { transport: "tcp" }),
    of("an answer with a wrong id before the right one", "forged-first", null, { expect: ["10.1.2.3"] }),
    of("an answer with a wrong id alone", "forged", "no_reply"),
    of("a name that points to itself", "loop", "dns_malformed"),
    of("a closed port", "one", "refused", { port: webs.closed.port }),
    of("a closed port over TCP", "one", "refused", { port: webs.closed.port, transport: "tcp" }),
  ];
}

function tlsCases({ resolvers, caFile }: Places): Case[] {
  const of = (what: string, resolver: keyof Places["resolvers"], label: string, failure: string | null): Case => {
    const port = resolvers[resolver].port;
    const about = {
      name: `${label}.${ZONE}`,
      type: "A",
      transport: "tls",
      server_name: HOST,
      ca_file: caFile,
    } as const;
    return {
      what: `DNS over TLS: ${what}`,
      check: { dns: { ...about, port } },
      failure,
      ask: () => askDigOverTls({ ...about, port, expect: null }),
    };
  };
  return [
    of("an address", "good", "one", null),
    of("no such name", "good", "nowhere", "dns_nxdomain"),
    of("a certificate of another name", "wrongName", "one", "tls_wrong_name"),
    of("an expired certificate", "expired", "one", "tls_expired"),
  ];
}

function webCases({ webs, caFile }: Places): Case[] {
  const of = (what: string, web: Web, failure: string | null, path = "/", status: readonly number[] = [200]): Case => {
    const question = { host: HOST, port: webs[web].port, path, status };
    return {
      what: `HTTPS: ${what}`,
      check: { https: { ...question, ca_file: caFile } },
      failure,
      ask: () => askCurl({ ...question, caFile }),
    };
  };
  const oidc = (what: string, path: string, failure: string | null): Case => {
    const issuer = `https://${HOST}:${webs.good.port}${path}`;
    const question = { host: HOST, port: webs.good.port, path, status: [200], caFile };
    return {
      what: `OIDC: ${what}`,
      check: { oidc: { issuer, ca_file: caFile } },
      failure,
      ask: () => askCurlOidc(issuer, question),
    };
  };
  return [
    of("200", "good", null),
    of("a redirect that is declared", "good", null, "/status/302", [302]),
    of("a redirect that is not declared", "good", "http_status", "/status/302"),
    of("401 that is declared", "good", null, "/status/401", [200, 302, 401]),
    of("404", "good", "http_status", "/status/404"),
    of("503", "good", "http_status", "/status/503"),
    of("200 where 302 is declared", "good", "http_status", "/", [302]),
    of("60,000 bytes", "good", null, "/size/60000"),
    of("70,000 bytes", "good", "http_too_large", "/size/70000"),
    of("no answer", "good", "http_timeout", "/hang"),
    of("hung up on", "good", "reset", "/reset"),
    of("an expired certificate", "expired", "tls_expired"),
    of("an expired certificate before a 503", "expired", "tls_expired", "/status/503"),
    of("a certificate of tomorrow", "notYet", "tls_not_yet_valid"),
    of("a certificate of another name", "wrongName", "tls_wrong_name"),
    of("a certificate of an unknown authority", "untrusted", "tls_untrusted"),
    of("a self-signed certificate", "selfSigned", "tls_untrusted"),
    of("Traefik's default certificate", "defaultCertificate", "tls_default_certificate"),
    of("TLS 1.2 alone", "tls12", null),
    of("a server without a certificate", "noCertificate", "tls_handshake"),
    of("a server without TLS", "plainHttp", "tls_handshake"),
    of("a server that is mute in the handshake", "mute", "tls_handshake"),
    of("a closed port", "closed", "refused"),
    oidc("a good document", "/good/", null),
    oidc("another issuer", "/wrong/", "oidc_issuer_mismatch"),
    oidc("a page of HTML", "/html/", "oidc_not_json"),
  ];
}

/** What hairpin saw, in the same facts as the tool's. */
function factsOf(check: CheckResult, wanted: ToolSays["facts"]): Record<string, unknown> {
  const evidence = check.evidence ?? {};
  const shown = evidence.certificate;
  const all: Record<string, unknown> = {
    rcode: evidence.rcode ?? null,
    records: evidence.records ?? [],
    status: evidence.status ?? null,
    protocol: evidence.protocol ?? null,
    authenticated: evidence.authenticated ?? null,
    signed: evidence.signed ?? null,
    service_ok: evidence.service_ok ?? null,
    fingerprint: shown?.fingerprint?.replaceAll(":", "").toLowerCase() ?? null,
    ends: shown?.valid_to == null ? null : Date.parse(shown.valid_to),
  };
  return Object.fromEntries(Object.keys(wanted).map((key) => [key, all[key]]));
}

const missing = missingTools();
const TARGET_MAX = 30;

describe("hairpin check agrees with dig, curl and openssl", {
  skip: missing.length > 0 && `not installed: ${missing.join(", ")}`,
}, () => {
  let folder = "";
  let cases: readonly Case[] = [];
  const open: Listening[] = [];
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "hairpin-agreement-"));
    const caFile = join(folder, "ca.pem");
    writeFileSync(caFile, authority.certificate);
    const dns = await resolverOnLoopback();
    open.push(dns);
    const webs = await websOnLoopback(await selfSigned(HOST));
    open.push(...Object.values(webs));
    const resolvers = await tlsResolversOnLoopback();
    open.push(...Object.values(resolvers));
    const places = { dns: dns.port, webs, resolvers, caFile };
    cases = [...dnsCases(places), ...tlsCases(places), ...webCases(places)];
  });
  after(() => {
    for (const server of open) server.close();
    rmSync(folder, { recursive: true });
  });

  async function checked(some: readonly Case[]): Promise<readonly CheckResult[]> {
    const targets = Object.fromEntries(
      Array.from({ length: Math.ceil(some.length / TARGET_MAX) }, (_, index) => [
        `t${index}`,
        {
          address: LOOPBACK,
          checks: some.slice(index * TARGET_MAX, (index + 1) * TARGET_MAX).map((each) => each.check),
        },
      ]),
    );
    const config = { site: "agreement", targets, control: { gateway: null } };
    writeFileSync(join(folder, "hairpin.yaml"), JSON.stringify(config));
    const ran = await runHairpin(["check", "--config", join(folder, "hairpin.yaml"), "--json"], { cwd: folder });
    const results = ran.out === "" ? assert.fail(ran.err) : (JSON.parse(ran.out) as { checks: CheckResult[] }).checks;
    const own = results.filter((check) => check.check !== "neighbour");
    assert.equal(own.length, some.length);
    assert.equal(ran.code, own.every((check) => check.ok) ? 0 : 1, ran.err);
    return own;
  }

  async function asked(some: readonly Case[]): Promise<readonly ToolSays[]> {
    const said: ToolSays[] = [];
    let next = 0;
    const work = async () => {
      for (let index = next++; index < some.length; index = next++) said[index] = await some[index]!.ask();
    };
    await Promise.all([work(), work(), work(), work()]);
    return said;
  }

  /** Both sides of each case, and in what they differ. */
  async function compared(some: readonly Case[]) {
    const [results, said] = await Promise.all([checked(some), asked(some)]);
    return some.map((each, index) => {
      const [ours, theirs] = [results[index]!, said[index]!];
      const facts = factsOf(ours, theirs.facts);
      const isSame =
        (ours.failure ?? null) === each.failure &&
        theirs.failure === each.failure &&
        JSON.stringify(facts) === JSON.stringify(theirs.facts);
      const words = [
        `${isSame ? "same  " : "DIFFER"} ${each.what}`,
        `declared: ${each.failure ?? "good"}`,
        `hairpin: ${ours.failure ?? "good"} ${JSON.stringify(facts)} ${ours.detail ?? ""}`,
        `tool: ${theirs.failure ?? "good"} ${JSON.stringify(theirs.facts)}`,
        ...(isSame ? [] : [theirs.raw]),
      ];
      return { each, isSame, text: words.join("\n    ") };
    });
  }

  test("in every case, on the verdict and on what was seen", async () => {
    assert.ok(cases.length >= 30, `${cases.length}`);
    const rows = await compared(cases);
    const doubted = rows.filter((row) => !row.isSame).map((row) => row.each);
    // All servers live in this one process: on a busy machine an answer may come after a second. What is really so stays so.
    const again = doubted.length === 0 ? [] : await compared(doubted);
    const differing = again.filter((row) => !row.isSame);
    const list = [...differing, ...rows.filter((row) => row.isSame)].map((row) => row.text).join("\n");
    assert.equal(differing.length, 0, `${differing.length} of ${rows.length} differ, twice\n${list}`);
  });
});
