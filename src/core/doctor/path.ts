import { whose } from "../diagnosis/sentences.ts";
import { CERTIFICATE_FAILURES, type FailureCode } from "../failure.ts";
import type { CheckResult } from "../observation.ts";
import type { PlanCheck } from "../plan.ts";
import { askDns, askNeighbour, askUrl, certificateOf, knock, showCertificate } from "../what-to-type.ts";
import type { Examination } from "./examination.ts";
import { bad, type DoctorFinding, good, type Layer, list, unknown, warning } from "./finding.ts";
import { sceneHere, strangersOf } from "./naming.ts";
import { skewFindings } from "./skew.ts";

/** A check of the round together with what was asked. */
interface Asked {
  readonly check: CheckResult;
  readonly plan: PlanCheck;
  readonly address: string;
}

/** The layers from the name up to the answer, in the order of the packet. */
export function pathFindings(exam: Examination): readonly DoctorFinding[] {
  const asked = exam.checks.flatMap((check) => askedOf(exam, check));
  return [
    ...wayFindings(exam),
    ...neighbourFindings(exam, asked),
    ...tcpFindings(asked),
    ...tlsFindings(asked),
    ...httpFindings(asked),
    ...skewFindings(exam.checks),
    ...dnsFindings(asked),
  ];
}

function askedOf(exam: Examination, check: CheckResult): Asked[] {
  const target = exam.house.targets.find((known) => known.name === check.target);
  const [id, address] = splitId(check.id ?? check.check, target?.addresses ?? []);
  const plan = target?.checks.find((known) => known.id === id && known.kind === check.check);
  return plan === undefined || address === undefined ? [] : [{ check, plan, address }];
}

/** A target with several addresses has each check once for each: `dns:name@ADDRESS`. */
function splitId(id: string, addresses: readonly string[]): [string, string | undefined] {
  const address = addresses.length === 1 ? addresses[0] : addresses.find((known) => id.endsWith(`@${known}`));
  return [addresses.length === 1 || address === undefined ? id : id.slice(0, -address.length - 1), address];
}

function wayFindings({ ways, where }: Examination): DoctorFinding[] {
  const findings: DoctorFinding[] = [];
  const through = (way: string | null) => ways.filter((known) => known.way === way);
  const addresses = (some: typeof ways) => list(some.map((known) => known.address));
  const onLink = through("on_link");
  const devices = [...new Set(onLink.flatMap((known) => known.device ?? []))];
  if (onLink.length > 0)
    findings.push(good("way", `${addresses(onLink)}: on-link through ${list(devices) || "a local interface"}.`));
  const routed = through("gateway");
  if (routed.length > 0) {
    const text = `${addresses(routed)}: routed through a gateway, so who answers ARP there is not seen from here.`;
    findings.push(good("way", text));
  }
  const local = through("local");
  if (local.length > 0) {
    const text = `${addresses(local)}: an address of this machine itself.`;
    findings.push(
      where === "host"
        ? good("way", text)
        : warning(
            "way",
            text,
            ["The route to it is local: nothing is asked of the network."],
            `ip -br address | grep -F ${local[0]!.address}`,
          ),
    );
  }
  const none = through("none");
  if (none.length > 0)
    findings.push(
      bad(
        "way",
        `There is no route to ${addresses(none)}.`,
        ["The kernel was asked for a route."],
        `ip route get ${none[0]!.address}`,
      ),
    );
  if (through(null).length > 0)
    findings.push(unknown("way", "The routes were not looked at: `ip` is not installed.", "apt install iproute2"));
  return findings;
}

function neighbourFindings(exam: Examination, asked: readonly Asked[]): DoctorFinding[] {
  const looks = asked.filter((one) => one.plan.kind === "neighbour");
  if (exam.where === "host") return strangerFindings(exam);
  if (looks.length === 0)
    return exam.ways.some((known) => known.way === "gateway")
      ? [unknown("neighbour", "Who answers ARP was not asked: the addresses are behind a gateway.")]
      : [];
  return looks.map(({ check, address }) => {
    const group = exam.house.groups.find((known) => known.targets.includes(check.target))!;
    const scene = sceneHere(exam, group);
    const said = (check.evidence?.answers ?? []).map(
      (answer) => `${whose(answer.mac, scene)}${answer.ms === null ? "" : ` after ${answer.ms.toFixed(2)} ms`}`,
    );
    const table = `The neighbour table had ${check.evidence?.mac ?? "no MAC"} (${check.evidence?.neighbour_state ?? "no entry"}) before.`;
    const cure = askNeighbour(address, exam.ways.find((way) => way.address === address)?.device ?? null);
    if (check.evidence?.asked !== true) {
      const why = check.detail ?? "who-has could not be asked";
      return check.ok
        ? unknown("neighbour", `${address}: ${why}; the table has ${check.evidence?.mac ?? "no entry"}.`, cure)
        : bad("neighbour", `${address}: ${why}.`, [table], cure);
    }
    if (said.length === 0) return bad("neighbour", `Nobody answers who-has ${address}.`, [table], cure);
    const text = `who-has ${address} is answered by ${list(said)}.`;
    if (!check.ok) return bad("neighbour", text, [table, `${check.failure}: ${check.detail ?? ""}`], cure);
    return group.link === null
      ? warning("neighbour", `${text} No link is declared, so any MAC would have passed.`)
      : good("neighbour", text);
  });
}

/** A host's own packets never meet ARP, and its speaker does not answer it: silence is right, and an answer is somebody else's. */
function strangerFindings(exam: Examination): DoctorFinding[] {
  const found = exam.house.groups.flatMap((group) => {
    const scene = sceneHere(exam, group);
    return strangersOf(exam, scene).map(({ address, macs }) => {
      const said = list(macs.map((mac) => whose(mac, scene)));
      const known = ["A host is not answered by its own speaker."];
      return bad(
        "neighbour",
        `Somebody else answers who-has ${address}: ${said}.`,
        known,
        `bridge fdb show | grep -i ${macs[0]}`,
      );
    });
  });
  if (found.length > 0) return found;
  const heard = exam.strangers === null ? "" : "No stranger answers who-has. ";
  const text = `${heard}The speaker is not heard on its own host: run hairpin doctor on a VM or the LAN.`;
  return [unknown("neighbour", text)];
}

const NOT_CONNECTED: ReadonlySet<FailureCode> = new Set<FailureCode>([
  "no_neighbour",
  "no_reply",
  "refused",
  "unreachable",
  "reset",
]);

/** How far an HTTPS exchange came: the layer at which it failed, or null when it did not. */
function failedAt({ check }: Asked): Layer | null {
  if (check.ok) return null;
  const failure = check.failure ?? "unclassified";
  if (failure === "tls_handshake" || CERTIFICATE_FAILURES.has(failure)) return "tls";
  if (!NOT_CONNECTED.has(failure)) return "http";
  if (check.phases?.["tls"] != null) return "http";
  return check.phases?.["connect"] != null ? "tls" : "tcp";
}

const isWeb = ({ plan }: Asked) => plan.kind === "https" || plan.kind === "oidc";
const portOf = ({ plan }: Asked) => ("port" in plan ? plan.port : 0);
const evidenceOf = ({ check }: Asked): string[] => [
  `${check.id}: ${check.failure}${check.detail ? ` (${check.detail})` : ""}, ${check.tries ?? 1} ${check.tries === 1 || check.tries === undefined ? "try" : "tries"}.`,
];

function tcpFindings(asked: readonly Asked[]): DoctorFinding[] {
  const doors = new Map<string, Asked[]>();
  for (const one of asked.filter((each) => each.plan.kind === "tcp" || isWeb(each))) {
    const door = `${one.address} port ${portOf(one)}`;
    doors.set(door, [...(doors.get(door) ?? []), one]);
  }
  const open: string[] = [];
  const findings: DoctorFinding[] = [];
  for (const [door, knocks] of doors) {
    const shut = knocks.find((one) => (isWeb(one) ? failedAt(one) === "tcp" : !one.check.ok));
    if (shut === undefined) {
      const times = knocks.flatMap((one) => one.check.phases?.["connect"] ?? []);
      open.push(times.length === 0 ? door : `${door} in ${Math.min(...times).toFixed(1)} ms`);
    } else {
      const word = shut.check.failure === "refused" ? "refuses connections" : "takes no connection";
      findings.push(bad("tcp", `${door} ${word}.`, evidenceOf(shut), knock(shut.address, portOf(shut))));
    }
  }
  return open.length === 0 ? findings : [good("tcp", `Connections are taken: ${list(open)}.`), ...findings];
}

function tlsFindings(asked: readonly Asked[]): DoctorFinding[] {
  const findings = new Map<string, DoctorFinding>();
  for (const one of asked.filter(isWeb)) {
    const name = nameOf(one.plan);
    const key = `${name} ${one.address} ${portOf(one)}`;
    const finding = tlsFinding(one, name);
    // The https and the oidc check show the same certificate: one line, the worst.
    if (!findings.has(key) || finding.state === "bad") findings.set(key, finding);
  }
  return [...findings.values()];
}

const DAYS_MIN = 14;

function tlsFinding(one: Asked, name: string): DoctorFinding {
  const at = failedAt(one);
  const shown = one.check.evidence?.certificate;
  const cure = showCertificate(one.address, portOf(one), name);
  if (at === "tcp") return unknown("tls", `The certificate of ${name} was not seen: no connection came about.`);
  if (at === "tls")
    return bad("tls", `TLS with ${name} at ${one.address} is not good: ${one.check.failure}.`, evidenceOf(one), cure);
  if (shown == null) return unknown("tls", `The certificate of ${name} was not seen.`);
  const names = shown.names.slice(0, 4).join(", ") || shown.subject || "no name";
  const days = shown.days_left;
  const wanted = one.plan.kind === "https" ? one.plan.cert_days_min : DAYS_MIN;
  const text = `The certificate at ${one.address} is trusted, for ${names}, and ends in ${days ?? "?"} days.`;
  return days !== null && days < wanted
    ? warning("tls", text, [`Wanted are at least ${wanted} days (cert_days_min).`], "kubectl get certificates -A")
    : good("tls", text);
}

function httpFindings(asked: readonly Asked[]): DoctorFinding[] {
  const fine: string[] = [];
  const findings: DoctorFinding[] = [];
  for (const one of asked.filter(isWeb)) {
    const url = urlOf(one);
    const at = failedAt(one);
    const isBehind = at === "tls" && one.check.evidence?.service_ok === true;
    if (at === null || isBehind)
      fine.push(
        one.plan.kind === "oidc"
          ? `the OIDC discovery of ${url} is as declared`
          : `${url} answers ${one.check.evidence?.status ?? ""}`,
      );
    else if (at === "http") {
      const what = one.plan.kind === "oidc" ? `The OIDC discovery of ${url}` : url;
      const port = portOf(one);
      const name = nameOf(one.plan);
      const path = one.plan.kind === "oidc" ? `${url.replace(/\/$/, "")}/.well-known/openid-configuration` : url;
      findings.push(
        bad(
          "http",
          `${what} is not as declared: ${one.check.failure}.`,
          evidenceOf(one),
          askUrl(path, name, one.address, port),
        ),
      );
    } else
      findings.push(
        unknown("http", `${url} was not asked: ${at === "tcp" ? "no connection came about" : "TLS failed before"}.`),
      );
  }
  return fine.length === 0 ? findings : [good("http", `HTTPS: ${list(fine)}.`), ...findings];
}

function dnsFindings(asked: readonly Asked[]): DoctorFinding[] {
  const fine: string[] = [];
  const findings: DoctorFinding[] = [];
  for (const one of asked) {
    const { plan, check, address } = one;
    if (plan.kind !== "dns") continue;
    const note = check.evidence?.system?.note;
    if (note != null) {
      const text = `${note[0]!.toUpperCase()}${note.slice(1)}.`;
      const known = ["Asked beside the address itself (as_system); it fails no check."];
      findings.push(
        warning("dns", text, known, `cat /etc/resolv.conf; getent ahosts ${plan.name}; dig ${plan.name} ${plan.type}`),
      );
    }
    if (check.ok) {
      fine.push(
        `${plan.name} is ${check.evidence?.records?.slice(0, 2).join(" ") || "answered"}${plan.upstream ? " (from the Internet behind it)" : ""}`,
      );
      continue;
    }
    const wrong = check.failure === "dns_wrong_answer";
    const text = wrong
      ? `${address} answers wrongly for ${plan.name}: ${check.evidence?.records?.slice(0, 4).join(" ") || "nothing"} instead of ${plan.expect?.join(" ") ?? "any"}.`
      : `${address} does not answer ${plan.name} ${plan.type} as it should: ${check.failure}.`;
    const shown = certificateOf(plan);
    const isShown = shown !== null && (check.failure === "tls_handshake" || CERTIFICATE_FAILURES.has(check.failure!));
    const cure = isShown ? showCertificate(address, shown.port, shown.name) : askDns(plan, address);
    findings.push(bad("dns", text, evidenceOf(one), cure));
  }
  return fine.length === 0 ? findings : [good("dns", `DNS: ${list(fine)}.`), ...findings];
}

function nameOf(plan: PlanCheck): string {
  if (plan.kind === "https") return plan.host;
  return plan.kind === "oidc" ? (/^https:\/\/([^/:]+)/.exec(plan.issuer)?.[1] ?? "") : "";
}

function urlOf({ plan }: Asked): string {
  if (plan.kind === "oidc") return plan.issuer;
  return plan.kind === "https" ? `https://${plan.host}${plan.port === 443 ? "" : `:${plan.port}`}${plan.path}` : "";
}
