/** One row of faults.md: what must happen, and the tests that prove it, by file and the beginning of their names. */
export interface Row {
  readonly row: number;
  readonly fault: string;
  readonly must: string;
  readonly proofs: readonly (readonly [file: string, name: string])[];
  /** Where more of it is shown, or why a part needs no test. */
  readonly elsewhere?: string;
  /** What of the row is not built yet: it is then only partly ok. */
  readonly open?: string;
}

const HOOKS = "unit/hub-hooks.test.ts";
const DNS = "runtime/probe-dns.test.ts";
const HTTPS = "runtime/probe-https.test.ts";
const REPAIRS = "unit/host-repairs.test.ts";
const HOST = "runtime/host-process.test.ts";
const OUTBOX = "unit/outbox.test.ts";
const ENGINE = "unit/hub-engine.test.ts";
const DECISION = "unit/decision.test.ts";
const own = (row: string, name: string): readonly [string, string] => [`faults/row-${row}.test.ts`, name];
const fault = (row: number, what: string) => own(`${row}-${what}`, `fault ${row}:`);

export const ROWS: readonly Row[] = [
  {
    row: 10,
    fault: "DNS pointer loop, forward pointer, 200-hop chain",
    must: "dns_malformed in < 50 ms of CPU",
    proofs: [
      [DNS, "a pointer"],
      ["fuzz/parsers.test.ts", "whatever a DNS server answers"],
    ],
  },
  {
    row: 11,
    fault: "DNS answer with wrong id, question or port",
    must: "ignored until the time-out",
    proofs: [
      [DNS, "answers with a wrong id or question are ignored"],
      [DNS, "answers with a wrong id alone end in the time-out"],
    ],
    elsewhere: "the source port: the socket is connected, so that the kernel drops others",
  },
  {
    row: 12,
    fault: "SERVFAIL, NXDOMAIN, empty NOERROR, wrong A",
    must: "four failures, none heals",
    proofs: [
      [DNS, "SERVFAIL is dns_servfail"],
      [DNS, "NXDOMAIN is dns_nxdomain"],
      [DNS, "NOERROR without a record is dns_empty"],
      [DNS, "a wrong address is dns_wrong_answer"],
      ["unit/diagnosis.test.ts", "wrong answers and certificates have their own names"],
    ],
  },
  {
    row: 13,
    fault: "HTTP headers without end, 1 byte every 4 s",
    must: "the total limit holds",
    proofs: [
      [HTTPS, "headers without end"],
      [HTTPS, "a body that drips byte by byte"],
    ],
  },
  {
    row: 14,
    fault: "gzip bomb or a chain of encodings",
    must: "http_encoding, never inflated",
    proofs: [[HTTPS, "an encoding that was not asked for"]],
  },
  {
    row: 15,
    fault: "redirect to 169.254.169.254, or a loop",
    must: "recorded, not followed",
    proofs: [[HTTPS, "another status is http_status, and a redirect is never followed"]],
  },
  {
    row: 16,
    fault: "certificate expired, wrong name, default, self-signed",
    must: "a failure each, no heal",
    proofs: [
      [HTTPS, "an expired certificate is tls_expired"],
      [HTTPS, "one for another name is tls_wrong_name"],
      [HTTPS, "Traefik's default is tls_default_certificate"],
      [HTTPS, "a self-signed one is tls_untrusted"],
      ["unit/diagnosis.test.ts", "wrong answers and certificates have their own names"],
    ],
  },
  {
    row: 17,
    fault: "ESC, CRLF, <script>, U+202E in a body",
    must: "shown escaped everywhere",
    proofs: [
      fault(17, "text-of-the-network"),
      [HTTPS, "text of the network is made harmless"],
      [HOOKS, "the page escapes"],
    ],
  },
  {
    row: 18,
    fault: "no, wrong, truncated signature, ±301 s",
    must: "401 with the same body",
    proofs: [
      [HOOKS, "an observation without a good signature"],
      ["fuzz/intake.test.ts", "whatever a signature's headers hold"],
    ],
  },
  {
    row: 19,
    fault: "two signatures, the second valid",
    must: "accepted",
    proofs: [[HOOKS, "of two signatures the second"]],
  },
  {
    row: 20,
    fault: "exact replay within 300 s",
    must: "200 duplicate, no effect",
    proofs: [[HOOKS, "an exact replay"]],
  },
  {
    row: 21,
    fault: "another vantage's or purpose's key",
    must: "401 or 403",
    proofs: [
      [HOOKS, "an observation of another vantage"],
      [HOOKS, "an observation without a good signature"],
    ],
  },
  {
    row: 22,
    fault: "POST /heal without token, GET, form, text, Origin, Host",
    must: "401 405 415 415 403 421 400 400",
    proofs: [
      [HOOKS, "POST /heal is refused"],
      ["runtime/hub-process.test.ts", "a hub process takes signed reports"],
    ],
  },
  {
    row: 23,
    fault: "10 MB body, 1 GB chunked, CL+TE",
    must: "413 413 400, memory flat",
    proofs: [fault(23, "large-and-slow"), [HOOKS, "a body beyond 256 KiB"]],
  },
  {
    row: 24,
    fault: "JSON 100,000 deep, duplicate keys, __proto__, 1e400",
    must: "422 with a path",
    proofs: [
      [HOOKS, "deep, doubled, prototype"],
      ["fuzz/intake.test.ts", "whatever the text, the strict reader"],
    ],
  },
  {
    row: 25,
    fault: "100 parallel /heal with one key, with 100 keys",
    must: "1 heal and the same answers; 1 heal and 99 × 409 or 429",
    proofs: [
      [HOOKS, "a hundred parallel presses with one key"],
      [HOOKS, "a hundred parallel presses with a key each"],
      [REPAIRS, "a hundred requests with one id"],
      [REPAIRS, "a hundred requests with a hundred ids"],
    ],
  },
  {
    row: 26,
    fault: 'step "rm", -1, null, iface, cmd',
    must: "422, nothing is spawned",
    proofs: [
      [HOOKS, "a body of /heal with an unknown step"],
      ["unit/host-hook.test.ts", "whatever is not exactly a request"],
    ],
  },
  {
    row: 27,
    fault: "subscriber: 301, 410, 429, 500 × 20, hangs, resets, 1 GB",
    must: "safety.md; 4 KiB of body read",
    proofs: [
      fault(27, "subscribers"),
      [OUTBOX, "a receiver that is down is tried"],
      [OUTBOX, "only 2xx is success"],
      [ENGINE, "a subscriber that hangs"],
      ["unit/mqtt-line.test.ts", "a broker that acknowledges nothing"],
    ],
  },
  {
    row: 28,
    fault: "Home Assistant answers 200 for an unknown id",
    must: "accepted, then visibly unconfirmed",
    proofs: [[OUTBOX, "a 200 of Home Assistant is accepted"]],
  },
  {
    row: 29,
    fault: "ip link add fails after the delete",
    must: "3 tries, then a person with the command",
    proofs: [
      [REPAIRS, "when the creation fails after the deletion"],
      ["crash/crash.test.ts", "fault 32"],
    ],
  },
  {
    row: 30,
    fault: "parent missing",
    must: "refused before any delete",
    proofs: [[REPAIRS, "a parent that is missing or down"]],
  },
  {
    row: 31,
    fault: "ip missing, hangs, prints 100 MB",
    must: "killed with its children, output capped",
    proofs: [
      [HOST, "a command that hangs"],
      [HOST, "100 MB of output"],
      [HOST, "a command runs with an empty environment, and a missing program"],
    ],
  },
  {
    row: 32,
    fault: "SIGKILL of the host at each command and journal write",
    must: "I3, I4, I6",
    proofs: [["crash/crash.test.ts", "fault 32"]],
    elsewhere: "all points: npm run test:crash",
  },
  {
    row: 33,
    fault: "disk full at the hub, at the host",
    must: "503 not 202; refused before acting; both recover",
    proofs: [
      fault(33, "disk-full"),
      [HOOKS, "a disk that takes no writes"],
      ["unit/host-journal.test.ts", "a full disk"],
    ],
  },
  {
    row: 34,
    fault: "hub restarted while healing",
    must: "adopts the heal by id, no second one",
    proofs: [
      ["crash/crash.test.ts", "fault 34"],
      [ENGINE, "a hub that comes back adopts"],
    ],
  },
  {
    row: 35,
    fault: "wall clock + 1 h, − 2 h, 1970, 2040, in a cool-down",
    must: "I1, I26",
    proofs: [
      fault(35, "wall-clock"),
      [ENGINE, "ledger time goes on"],
      ["unit/host-guard.test.ts", "the pause file holds the guard"],
    ],
  },
  {
    row: 36,
    fault: "Home Assistant is away for 3 min",
    must: "queued, in order, repeated until confirmed",
    proofs: [
      [ENGINE, "a subscriber that is down gets everything later"],
      [ENGINE, "Home Assistant gets failing again"],
      ["unit/mqtt-line.test.ts", "with Home Assistant away for five minutes"],
    ],
  },
  {
    row: 37,
    fault: "all vantages silent",
    must: "told within 3 min; no heal",
    proofs: [fault(37, "all-silent")],
  },
  {
    row: 38,
    fault: "unknown key, treshold, duplicate vantage",
    must: "exit 2 with line and nearest key",
    proofs: [fault(38, "configuration"), ["unit/config.test.ts", "an unknown key is told"]],
  },
  {
    row: 39,
    fault: "empty targets, vantages or selector",
    must: "runs, heals nothing, says so",
    proofs: [
      [HOOKS, "a house without targets and vantages"],
      ["unit/config.test.ts", "an empty house"],
    ],
  },
  {
    row: 40,
    fault: "secret missing, short, default, 0644",
    must: "refuses to start",
    proofs: [fault(40, "secrets")],
  },
  {
    row: 41,
    fault: "two hubs armed",
    must: "one lease, at most one heal",
    proofs: [fault(41, "two-hubs"), ["runtime/hub-node.test.ts", "a transaction of the store is all or nothing"]],
  },
  {
    row: 42,
    fault: "a heal makes it worse",
    must: "breaker open at once, a person is asked",
    proofs: [[DECISION, "more addresses fail after a repair"]],
  },
  {
    row: 43,
    fault: "a fault that no step cures, 24 h",
    must: "at most 3 heals; told at 1 h, 4 h, daily",
    proofs: [fault(43, "no-step-cures"), [DECISION, "an exit code proves nothing"]],
  },
];
