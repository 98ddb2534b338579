import { bootFindings } from "./boot.ts";
import { edgeFindings } from "./edge.ts";
import type { Examination } from "./examination.ts";
import { bad, type DoctorFinding, type DoctorReport, good, LAYERS, list, unknown, warning } from "./finding.ts";
import { linkCheckFindings, planFindings } from "./from-plan.ts";
import { hostFindings } from "./host.ts";
import { hubFindings } from "./hub.ts";
import { inOrder as causesInOrder, join } from "./joining.ts";
import { nameFindings } from "./names.ts";
import { HERE, nameCause } from "./naming.ts";
import { pathFindings } from "./path.ts";
import { tellingFindings } from "./telling.ts";

/** Everything that was looked at, as findings in the order of the layers, with the cause's sentence for a verdict. Pure and total. */
export function examine(exam: Examination): DoctorReport {
  const { hub, house } = exam;
  const words = hub?.kind === "answered" && hub.says.site === house.site ? hub.says : null;
  const here = { where: exam.where, isByPlan: exam.fromPlan !== undefined };
  const joined = house.groups.map((group) => join(group, nameCause(exam, group), words, here));
  const findings = inOrder([
    ...configurationFindings(exam),
    ...ownPathFindings(exam),
    ...onHost(exam),
    ...nameFindings(exam.names),
    ...pathFindings(exam),
    ...hubFindings(exam, joined),
    ...tellingFindings(exam),
    ...(exam.edge == null ? [] : edgeFindings(exam.edge, exam.isHub)),
  ]);
  const named = causesInOrder(joined.flatMap((each) => each.named ?? []));
  const first = named[0] ?? null;
  const isBad = findings.some((finding) => finding.state === "bad") || first !== null;
  const isEmpty = exam.house.targets.length === 0 && exam.house.links.length === 0;
  return {
    ok: !isBad && !isEmpty,
    verdict:
      first === null ? calmVerdict(exam, findings, isEmpty) : [...new Set(named.map((one) => one.summary))].join(" "),
    cause: first?.cause ?? null,
    evidence: first?.evidence ?? [],
    advice: first?.advice ?? null,
    findings,
    blind: isEmpty || (first?.cause === "site_network" && first.by === "here"),
  };
}

/** What is said of a configuration that cannot be used: nothing else was looked at. */
export function unusable(
  file: string,
  problems: readonly string[],
  advice = `hairpin config check --config ${file}`,
): DoctorReport {
  const verdict = `${file} cannot be used, so nothing else was looked at.`;
  const findings = problems.map((problem) => bad("configuration", problem, [], advice));
  return { ok: false, verdict, cause: null, evidence: [], advice: null, findings, blind: false };
}

function inOrder(findings: readonly DoctorFinding[]): readonly DoctorFinding[] {
  return [...findings].sort((a, b) => LAYERS.indexOf(a.layer) - LAYERS.indexOf(b.layer));
}

function configurationFindings({ file, house, warnings, fromPlan, checks }: Examination): readonly DoctorFinding[] {
  if (fromPlan !== undefined)
    return [...planFindings(fromPlan.plan, file, fromPlan.savedAt), ...linkCheckFindings(checks)];
  const counts = `${house.targets.length} targets, ${house.links.length} ${house.links.length === 1 ? "link" : "links"}, ${house.vantages.length} vantages`;
  return [
    good("configuration", `${file} is valid: site ${house.site}, ${counts}, heal.mode ${house.heal.mode}.`),
    ...warnings.map((text) => warning("configuration", text, [], `hairpin config check --config ${file}`)),
  ];
}

function ownPathFindings({ control, where }: Examination): DoctorFinding[] {
  const place = where === "host" ? "This machine is the host" : "This machine is a vantage";
  if (control.ok === null)
    return [
      unknown("own_path", `${place}; its own path was not measured: no gateway on-link and no control.reference.`),
    ];
  if (!control.ok)
    return [
      bad(
        "own_path",
        `${place}, and its own path is broken: what fails may be fine.`,
        [control.detail ?? "neither gateway nor reference answers"],
        "ip -br address; ip route",
      ),
    ];
  const times = [
    control.gateway_ms == null ? null : `gateway ${control.gateway_ms.toFixed(1)} ms`,
    control.reference_ms == null ? null : `reference ${control.reference_ms.toFixed(1)} ms`,
  ].filter((time) => time !== null);
  return [good("own_path", `${place}; its own path is good (${times.join(", ") || "answered"}).`)];
}

function onHost(exam: Examination): DoctorFinding[] {
  return exam.links.flatMap((sight) => {
    const group = exam.house.groups.find((known) => known.link?.name === sight.link);
    if (group?.link == null) return [];
    return [...hostFindings(sight, group), ...(exam.boot === null ? [] : bootFindings(exam.boot, group.link))];
  });
}

function calmVerdict(exam: Examination, findings: readonly DoctorFinding[], isEmpty: boolean): string {
  if (isEmpty) return "No target and no link is declared: there is nothing to look at.";
  const addresses = list(exam.house.targets.flatMap((target) => target.addresses));
  const fine = addresses === "" ? "The host is" : `${addresses} ${addresses.includes(" and ") ? "are" : "is"}`;
  const wrong = findings.filter((finding) => finding.state === "bad");
  if (wrong.length > 0) return `${fine} fine from ${HERE}, and something else is not: ${wrong[0]!.text}`;
  const later = findings.filter((finding) => finding.state === "warning").length;
  const note = later === 0 ? "" : ` ${later} ${later === 1 ? "thing" : "things"} may break it later.`;
  return `${fine} fine from ${HERE}.${note}`;
}
