import { execFile } from "node:child_process";
import { findProgram } from "../../src/runtime/node/probe-command.ts";
import { LOOPBACK } from "./probe-servers.ts";

/** What the reference tools say, in hairpin's words: the failure that hairpin ought to name, or null where all is as declared. */
export interface ToolSays {
  readonly failure: string | null;
  /** What else both must agree on: the records, the status, the protocol, the certificate. */
  readonly facts: Readonly<Record<string, unknown>>;
  /** For people, when the two differ. */
  readonly raw: string;
}

export interface Output {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Programs that are not installed: the test is skipped by their names. */
export const missingTools = (): readonly string[] =>
  ["dig", "curl", "openssl"].filter((tool) => findProgram(tool) === null);

/** No proxy, no rc file: an empty environment. */
function runTool(tool: string, argv: readonly string[], input = "", timeout = 20_000): Promise<Output> {
  return new Promise((resolve) => {
    const child = execFile(
      findProgram(tool)!,
      [...argv],
      { env: { HOME: "/nonexistent", LC_ALL: "C" }, timeout, maxBuffer: 4_194_304 },
      (error, out, err) =>
        resolve({ code: error === null ? 0 : typeof error.code === "number" ? error.code : -1, out, err }),
    );
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
  });
}

/** Also of each name in a record of several fields. */
const lower = (text: string) => text.toLowerCase().replaceAll(/(?<=\w)\.(?= |$)/g, "");

/** One record of dig's answer section in the form that both are compared in. */
function digRecord(type: string, data: string): string {
  if (type === "HTTPS") return data.replaceAll('"', "");
  if (type === "TXT") return [...data.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map((match) => match[1]).join("");
  return lower(data);
}

export interface DnsQuestion {
  readonly name: string;
  readonly type: string;
  readonly port: number;
  readonly transport: "udp" | "tcp" | "tls";
  readonly expect: readonly string[] | null;
  readonly ad?: boolean;
  readonly rrsig?: boolean;
  /** Over TLS. */
  readonly server_name?: string;
  readonly ca_file?: string;
}

/** The name that was asked for and those that it is an alias of. */
function ownersOf(name: string, rows: readonly (readonly string[])[]): ReadonlySet<string> {
  const owners = new Set([lower(name)]);
  for (const [owner, type, data] of rows) if (type === "CNAME" && owners.has(lower(owner!))) owners.add(lower(data!));
  return owners;
}

export async function askDig(question: DnsQuestion): Promise<ToolSays> {
  const { name, type, port, transport, expect } = question;
  const flags = ["+time=1", "+tries=1", "+nocookie", "+noall", "+comments", "+answer"];
  const secure = ["+tls", `+tls-ca=${question.ca_file}`, `+tls-hostname=${question.server_name}`];
  const over = transport === "udp" ? [] : transport === "tcp" ? ["+tcp"] : secure;
  const dnssec = question.ad || question.rrsig ? ["+dnssec"] : [];
  const argv = ["-r", ...flags, ...over, ...dnssec, "-p", `${port}`, `@${LOOPBACK}`, name, type];
  const { out, err } = await runTool("dig", argv);
  const raw = out + err;
  const status = /status: ([A-Z]+),/.exec(out)?.[1] ?? null;
  const isCut = /Truncated, retrying in TCP/i.test(raw);
  if (/bad packet|bad compression|malformed|label too long/i.test(raw))
    return { failure: "dns_malformed", facts: {}, raw };
  if (status === null) {
    const failure = isCut ? "dns_truncated" : /connection refused/.test(raw) ? "refused" : "no_reply";
    return { failure, facts: {}, raw };
  }
  const rows = [...out.matchAll(/^(\S+)\s+\d+\s+IN\s+(\S+)\s+(.*)$/gm)].map((match) => match.slice(1));
  const owners = ownersOf(name, rows);
  const records = rows
    .filter(([owner, kind]) => kind === type && owners.has(lower(owner!)))
    .map((row) => digRecord(type, row[2]!))
    .sort();
  const isVouched = /^;; flags:[^;]* ad[ ;]/m.test(out);
  const isSigned = rows.some(([, kind, data]) => kind === "RRSIG" && data?.startsWith(`${type} `));
  const lacks = (question.ad && !isVouched) || (question.rrsig && !isSigned);
  const facts = {
    rcode: status,
    records,
    ...(question.ad ? { authenticated: isVouched } : {}),
    ...(question.rrsig ? { signed: isSigned } : {}),
  };
  return { failure: dnsVerdict(status, records, expect) ?? (lacks ? "dns_wrong_answer" : null), facts, raw };
}

function dnsVerdict(status: string, records: readonly string[], expect: readonly string[] | null): string | null {
  if (status === "SERVFAIL" || status === "NXDOMAIN") return `dns_${status.toLowerCase()}`;
  if (status !== "NOERROR") return "dns_refused";
  if (records.length === 0) return "dns_empty";
  if (expect === null) return null;
  return JSON.stringify([...expect].map(lower).sort()) === JSON.stringify(records) ? null : "dns_wrong_answer";
}

/** Over TLS dig refuses a bad certificate without saying which kind it is: openssl says it. */
export async function askDigOverTls(question: DnsQuestion): Promise<ToolSays> {
  const web = { host: question.server_name!, port: question.port, path: "/", status: [], caFile: question.ca_file! };
  const [said, tls] = await Promise.all([askDig(question), askOpenssl(web)]);
  const { fingerprint, ends } = tls.facts;
  const isRefused = /certificate|TLS peer|hostname mismatch/i.test(said.raw);
  const failure = said.failure === null ? null : isRefused ? tls.failure : said.failure;
  return { failure, facts: { ...said.facts, fingerprint, ends }, raw: `${said.raw}\n${tls.raw}` };
}

export interface WebQuestion {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly status: readonly number[];
  readonly caFile: string;
}

function curl({ host, port, path, caFile }: WebQuestion, more: readonly string[]): Promise<Output> {
  const fixed = ["-q", "-sS", "--noproxy", "*", "--http1.1", "--max-time", "2", "--max-filesize", "65536"];
  const to = ["--cacert", caFile, "--resolve", `${host}:${port}:${LOOPBACK}`, `https://${host}:${port}${path}`];
  return runTool("curl", [...fixed, ...more, ...to]);
}

/** The exit codes are those of curl's manual. */
export async function askCurl(question: WebQuestion): Promise<ToolSays> {
  const words = "%{http_code} %{time_appconnect}";
  const [checked, unchecked, tls] = await Promise.all([
    curl(question, ["-o", "/dev/null", "-w", words]),
    curl(question, ["-k", "-v", "-o", "/dev/null", "-w", words]),
    askOpenssl(question),
  ]);
  const raw = `curl ${checked.code}: ${checked.out} ${checked.err}curl -k ${unchecked.code}: ${unchecked.out}\n${tls.raw}`;
  const status = Number(unchecked.out.split(" ")[0]);
  const service = curlVerdict(unchecked, question.status);
  const facts = {
    ...tls.facts,
    status: [0, 63].includes(unchecked.code) && status > 0 ? status : null,
    ...(checked.code === 60 ? { service_ok: service === null } : {}),
  };
  return { failure: checked.code === 60 ? tls.failure : service, facts, raw };
}

function curlVerdict({ code, out, err }: Output, wanted: readonly number[]): string | null {
  const [status, secured] = out.split(" ").map(Number);
  switch (code) {
    case 0:
      return wanted.includes(status!) ? null : "http_status";
    case 7:
      return "refused";
    case 28:
      // Of a handshake that timed out curl counts no connection, and yet says that there was one.
      return secured! > 0 ? "http_timeout" : /^\* Connected to/m.test(err) ? "tls_handshake" : "no_reply";
    case 35:
      return "tls_handshake";
    case 52:
    case 56:
      return "reset";
    case 63:
      return "http_too_large";
    default:
      return `curl ${code}`;
  }
}

/** X509_V_ERR_… of openssl's `verify` manual. */
const VERIFY: Readonly<Record<string, string>> = {
  "9": "tls_not_yet_valid",
  "10": "tls_expired",
  "18": "tls_untrusted",
  "19": "tls_untrusted",
  "20": "tls_untrusted",
  "21": "tls_untrusted",
  "62": "tls_wrong_name",
};

/** What `openssl s_client` shows of the certificate, the name and the protocol. */
async function askOpenssl({ host, port, caFile }: WebQuestion): Promise<ToolSays> {
  const argv = ["s_client", "-connect", `${LOOPBACK}:${port}`, "-servername", host, "-verify_hostname", host];
  // It would wait for a mute server without end.
  const { out, err } = await runTool("openssl", [...argv, "-CAfile", caFile], "Q\n", 3_000);
  const pem = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/.exec(out)?.[0];
  if (pem === undefined) {
    return { failure: "tls_handshake", facts: {}, raw: err.split("\n").slice(0, 3).join("; ") };
  }
  const shown = await runTool("openssl", ["x509", "-noout", "-subject", "-enddate", "-fingerprint", "-sha256"], pem);
  const code = /Verify return code: (\d+)/.exec(out)?.[1] ?? "";
  const isDefault = /TRAEFIK DEFAULT CERT/.test(shown.out);
  const failure = code === "0" ? null : isDefault ? "tls_default_certificate" : (VERIFY[code] ?? `verify ${code}`);
  const ends = /notAfter=(.*)/.exec(shown.out)?.[1];
  const facts = {
    protocol: /(?:New|Reused), (TLSv[\d.]+)/.exec(out)?.[1] ?? null,
    fingerprint: /Fingerprint=([0-9A-F:]+)/i.exec(shown.out)?.[1]?.replaceAll(":", "").toLowerCase() ?? null,
    ends: ends === undefined ? null : Date.parse(ends),
  };
  return {
    failure,
    facts,
    raw: `openssl: verify ${code}, ${facts.protocol}, ${shown.out.trim().replaceAll("\n", ", ")}`,
  };
}

/** Discovery and keys fetched by curl, judged as OpenID Connect Discovery 1.0, section 4.3, wants it. */
export async function askCurlOidc(issuer: string, question: WebQuestion): Promise<ToolSays> {
  const found = await curl({ ...question, path: `${new URL(issuer).pathname}.well-known/openid-configuration` }, []);
  const raw = `curl ${found.code}: ${found.out}${found.err}`;
  if (found.code !== 0) return { failure: `curl ${found.code}`, facts: {}, raw };
  let document: Record<string, unknown>;
  try {
    document = JSON.parse(found.out) as Record<string, unknown>;
  } catch {
    return { failure: "oidc_not_json", facts: {}, raw };
  }
  if (document["issuer"] !== issuer) return { failure: "oidc_issuer_mismatch", facts: {}, raw };
  const keys = await curl({ ...question, path: new URL(String(document["jwks_uri"])).pathname }, []);
  const set = (JSON.parse(keys.out) as { keys?: unknown[] }).keys;
  return { failure: set !== undefined && set.length > 0 ? null : "oidc_jwks_invalid", facts: {}, raw: raw + keys.out };
}

/** A certificate that nobody but its own key has signed, as people make them. */
export async function selfSigned(host: string): Promise<{ readonly certificate: string; readonly key: string }> {
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "-", "-out", "-"];
  const about = ["-subj", `/CN=${host}`, "-addext", `subjectAltName=DNS:${host}`, "-days", "30"];
  const { out, err } = await runTool("openssl", ["req", "-x509", ...key, ...about]);
  const part = (label: string) =>
    new RegExp(`-----BEGIN ${label}-----[\\s\\S]+?-----END ${label}-----`).exec(out)?.[0] ?? err;
  return { certificate: part("CERTIFICATE"), key: part("PRIVATE KEY") };
}
