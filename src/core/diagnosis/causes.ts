import type { Cause } from "../cause.ts";
import { drift } from "../drift.ts";
import { CERTIFICATE_FAILURES, type FailureCode, LAYER2_FAILURES } from "../failure.ts";
import { SECOND } from "../units.ts";
import { failures, isAware, type Look, type Scene } from "./scene.ts";
import * as say from "./sentences.ts";

/** A finding: the cause with how it is known. */
export interface Finding {
  readonly cause: Cause;
  readonly evidence: readonly string[];
  /** Vantages concerned; those that must be good again. */
  readonly vantages: readonly string[];
  readonly targets: readonly string[];
}

/** Facts must have stood this long: the guard mends most of them in milliseconds, and what was mended is not told twice. */
const FACT_STANDS = 2 * SECOND;
/** One rescan of the speaker (10 s, measured) and a margin: before that, a link without a listener is young, not broken. */
const LISTENER_STANDS = 15 * SECOND;

type Row = (scene: Scene) => Finding | null;

const everything = (scene: Scene, cause: Cause, evidence: readonly string[]): Finding => ({
  cause,
  evidence,
  vantages: failingVantages(scene),
  targets: scene.targets.map((target) => target.name),
});

const of = (cause: Cause, looks: readonly Look[], evidence: readonly string[]): Finding => ({
  cause,
  evidence,
  vantages: [...new Set(looks.map((look) => look.vantage.name))],
  targets: [...new Set(looks.map((look) => look.target.name))],
});

export function failingVantages(scene: Scene): readonly string[] {
  return [
    ...new Set(
      scene.looks.filter((look) => look.verdict === "failed" || look.stale !== null).map((look) => look.vantage.name),
    ),
  ];
}

const failedLooks = (scene: Scene) => scene.looks.filter((look) => look.verdict === "failed");

/** The host's own findings: parent, link. The guard's business, named first because all else follows from them. */
const hostRow =
  (cause: Cause): Row =>
  (scene) =>
    scene.stood(cause, FACT_STANDS) ? everything(scene, cause, say.hostEvidence(scene, cause)) : null;

const drifted: Row = (scene) => {
  const [link, declared] = [scene.facts?.link, scene.group.link];
  if (!link?.exists || !declared) return null;
  const differences = drift(link, declared);
  return differences.length > 0 && scene.stood("link_drifted", FACT_STANDS)
    ? everything(scene, "link_drifted", differences)
    : null;
};

const announcedOnParent: Row = (scene) => {
  const parent = scene.facts?.parent.mac ?? null;
  if (parent === null || parent === scene.linkMac) return null;
  const looks = scene.looks.filter((look) => look.neighbourFailed && look.answers?.includes(parent));
  return looks.length > 0
    ? of(
        "announced_on_parent",
        looks,
        looks.map((look) => say.answered(look, scene)),
      )
    : null;
};

const speakerStaleMac: Row = (scene) => {
  const former = scene.facts?.former_macs ?? [];
  const looks = scene.looks.filter(
    (look) =>
      look.neighbourFailed &&
      look.answers?.length === 1 &&
      former.includes(look.answers[0]!) &&
      look.answers[0] !== scene.linkMac,
  );
  return looks.length > 0
    ? of(
        "speaker_stale_mac",
        looks,
        looks.map((look) => say.answered(look, scene)),
      )
    : null;
};

const announcedElsewhere: Row = (scene) => {
  const looks = scene.looks.filter((look) => look.answers?.length === 1 && scene.alsoMacs.includes(look.answers[0]!));
  return looks.length > 0 && failedLooks(scene).length === 0
    ? of(
        "announced_elsewhere",
        looks,
        looks.map((look) => say.answered(look, scene)),
      )
    : null;
};

const macConflict: Row = (scene) => {
  const looks = scene.looks.filter((look) => look.neighbourFailed && (look.answers?.length ?? 0) >= 2);
  return looks.length > 0
    ? of(
        "mac_conflict",
        looks,
        looks.map((look) => say.answered(look, scene)),
      )
    : null;
};

const macUnexpected: Row = (scene) => {
  const former = scene.facts?.former_macs ?? [];
  const isUnknown = (mac: string) => mac !== scene.linkMac && !scene.alsoMacs.includes(mac) && !former.includes(mac);
  const looks = scene.looks.filter((look) => {
    if (!look.neighbourFailed) return false;
    if (look.answers !== null) return look.answers.length === 1 && isUnknown(look.answers[0]!);
    return look.neighbour?.failure === "mac_unexpected" && look.tableMac !== null && isUnknown(look.tableMac);
  });
  return looks.length > 0
    ? of(
        "mac_unexpected",
        looks,
        looks.map((look) => say.answered(look, scene)),
      )
    : null;
};

const lanPath: Row = (scene) => {
  const lan = scene.house.vantages.filter((vantage) => vantage.where === "lan" || vantage.where === "routed");
  const isBad = (name: string) =>
    scene.silent.some((vantage) => vantage.name === name) ||
    failedLooks(scene).some((look) => look.vantage.name === name);
  const bad = lan.filter((vantage) => isBad(vantage.name));
  const cut = scene.stood("uplink_down", FACT_STANDS);
  const cutSeen = cut && (bad.length > 0 || scene.silent.length > 0 || failedLooks(scene).length > 0);
  const vmFine = scene.looks.some((look) => look.vantage.where === "vm" && look.good && isAware(scene, look));
  const lanFails =
    lan.length > 0 && lan.every((vantage) => failedLooks(scene).some((look) => look.vantage.name === vantage.name));
  if (!cutSeen && !(lanFails && vmFine && !failedLooks(scene).some((look) => look.vantage.where === "vm"))) return null;
  const finding = everything(
    scene,
    "lan_path",
    say.lanEvidence(
      scene,
      bad.map((vantage) => vantage.name),
      cut,
    ),
  );
  return { ...finding, vantages: [...new Set([...finding.vantages, ...bad.map((vantage) => vantage.name)])] };
};

const siteNetwork: Row = (scene) => {
  const offHost = scene.house.vantages.filter((vantage) => vantage.where !== "host" && !vantage.muted);
  const bad = offHost.filter((vantage) => {
    const seen = scene.view.vantages[vantage.name];
    return seen?.control === false && seen.at !== null && scene.now - seen.at <= scene.view.freshFor;
  });
  if (bad.length === 0 || bad.length * 2 < offHost.length) return null;
  const finding = everything(
    scene,
    "site_network",
    say.controlEvidence(
      scene,
      bad.map((vantage) => vantage.name),
    ),
  );
  return { ...finding, vantages: bad.map((vantage) => vantage.name) };
};

/** Looks at which nobody answers: who-has unanswered, or the kernel says that there is no neighbour. */
function unanswered(scene: Scene): readonly Look[] {
  return scene.looks.filter((look) => {
    if (look.answers !== null) return look.neighbourFailed && look.answers.length === 0;
    return (
      look.verdict === "failed" &&
      failures(look).some(({ sample }) => sample.failure === "no_neighbour" || sample.failure === "unreachable")
    );
  });
}

/** Looks that contradict "nobody answers": a who-has was answered after the trouble began. */
function answeredElsewhere(scene: Scene): readonly Look[] {
  const silent = new Set(unanswered(scene).map((look) => look.target.name));
  return scene.looks.filter(
    (look) =>
      silent.has(look.target.name) &&
      (look.answers?.length ?? 0) > 0 &&
      look.neighbour?.ok === true &&
      isAware(scene, look),
  );
}

const notAdvertised: Row = (scene) => {
  const looks = unanswered(scene);
  if (looks.length === 0 || answeredElsewhere(scene).length > 0) return null;
  const uncovered = (scene.facts?.advertised ?? []).filter(
    (entry) => !entry.covered && isServiceOf(scene, entry.service, looks),
  );
  return uncovered.length > 0
    ? of("not_advertised", looks, [
        ...looks.map(say.nobody),
        ...uncovered.map((entry) => `${entry.service}: ${entry.reason ?? "not covered"}`),
      ])
    : null;
};

const noEndpoints: Row = (scene) => {
  const looks = unanswered(scene);
  if (looks.length === 0 || answeredElsewhere(scene).length > 0) return null;
  const empty = (scene.facts?.endpoints ?? []).filter(
    (entry) => entry.ready === 0 && isServiceOf(scene, entry.service, looks),
  );
  return empty.length > 0
    ? of("no_endpoints", looks, [
        ...looks.map(say.nobody),
        ...empty.map((entry) => `${entry.service}: no endpoint is ready`),
      ])
    : null;
};

function isServiceOf(scene: Scene, service: string, looks: readonly Look[]): boolean {
  return scene.targets.some(
    (target) => target.service === service && looks.some((look) => look.target.name === target.name),
  );
}

const staleNeighbour: Row = (scene) => {
  const former = scene.facts?.former_macs ?? [];
  const isFormer = (look: Look) =>
    look.neighbourFailed &&
    look.tableMac !== null &&
    former.includes(look.tableMac) &&
    look.tableMac !== scene.linkMac &&
    look.answers?.length !== 0;
  const looks = scene.looks.filter((look) => look.stale !== null || isFormer(look));
  return looks.length > 0
    ? of(
        "stale_neighbour",
        looks,
        looks.map((look) => say.stale(look, scene)),
      )
    : null;
};

const notAnnounced: Row = (scene) => {
  const looks = unanswered(scene);
  if (looks.length > 0 && answeredElsewhere(scene).length === 0) {
    return of("not_announced", looks, [...looks.map(say.nobody), ...say.speakerEvidence(scene)]);
  }
  // Probes may stay green for a minute while nobody answers: the host's packet sockets tell it earlier.
  const listens = looks.length > 0 || !scene.stood("not_listening", LISTENER_STANDS);
  return listens ? null : { ...everything(scene, "not_announced", say.speakerEvidence(scene)), vantages: [] };
};

const vmPath: Row = (scene) => {
  const failed = failedLooks(scene);
  const lanFine = scene.looks.some(
    (look) =>
      look.vantage.where === "lan" &&
      look.good &&
      isAware(scene, look) &&
      failed.some((bad) => bad.target.name === look.target.name),
  );
  return failed.length > 0 && lanFine && failed.every((look) => look.vantage.where === "vm")
    ? of("vm_path", failed, failed.map(say.failed))
    : null;
};

/** Looks whose checks fail only with time-outs although the right MAC answers. */
const notForwarded: Row = (scene) => {
  const failed = failedLooks(scene);
  const timeouts = failed.filter((look) => {
    const bad = failures(look).filter(
      ({ check, sample }) => check.kind !== "neighbour" && sample.evidence.upstream !== true,
    );
    const right =
      look.answers !== null
        ? look.answers.includes(scene.linkMac ?? "") || (scene.linkMac === null && look.answers.length > 0)
        : look.tableMac !== null && look.tableMac === scene.linkMac;
    const timesOut: readonly FailureCode[] = ["no_reply", "unreachable"];
    const answering = look.checks.some((check) => check.kind !== "neighbour" && check.samples.at(-1)?.ok === true);
    return right && !answering && bad.length > 0 && bad.every(({ sample }) => timesOut.includes(sample.failure!));
  });
  const refusedSomewhere = failed.some((look) =>
    failures(look).some(({ sample }) => sample.failure === "refused" || sample.failure === "reset"),
  );
  return timeouts.length > 0 && !refusedSomewhere
    ? of("not_forwarded", timeouts, [...timeouts.map(say.failed), ...say.forwardingEvidence(scene)])
    : null;
};

/** A row for failures that the service itself answers with. */
const serviceRow =
  (
    cause: Cause,
    matches: (failure: FailureCode, look: Look, upstream: boolean, status: number | null) => boolean,
  ): Row =>
  (scene) => {
    const looks = failedLooks(scene).filter((look) =>
      failures(look).some(({ sample }) =>
        matches(sample.failure!, look, sample.evidence.upstream === true, sample.evidence.status ?? null),
      ),
    );
    return looks.length > 0 ? of(cause, looks, looks.map(say.failed)) : null;
  };

const serviceDown = serviceRow("service_down", (failure, look, upstream, status) => {
  if (upstream) return false;
  if (failure === "http_status") return (status ?? 0) >= 500;
  // A dead pod refuses TCP and lets UDP run into the time-out (measured): either of them, while the right MAC answers.
  const dead: readonly FailureCode[] = [
    "refused",
    "reset",
    "dns_servfail",
    "dns_refused",
    "tls_handshake",
    "http_timeout",
    "http_malformed",
  ];
  return dead.includes(failure) && !look.neighbourFailed;
});

const upstreamDns: Row = (scene) => {
  const looks = failedLooks(scene).filter((look) => {
    const bad = failures(look);
    return bad.length > 0 && bad.every(({ sample }) => sample.evidence.upstream === true);
  });
  const localBad = failedLooks(scene).some((look) =>
    failures(look).some(({ check, sample }) => check.kind === "dns" && sample.evidence.upstream !== true),
  );
  return looks.length > 0 && !localBad ? of("upstream_dns", looks, looks.map(say.failed)) : null;
};

const WRONG: ReadonlySet<FailureCode> = new Set<FailureCode>([
  "dns_wrong_answer",
  "dns_nxdomain",
  "dns_empty",
  "dns_malformed",
  "dns_truncated",
  "http_status",
  "http_encoding",
  "http_too_large",
  "oidc_not_json",
  "oidc_issuer_mismatch",
  "oidc_invalid",
  "oidc_jwks_invalid",
]);
const answerWrong = serviceRow("answer_wrong", (failure, _look, upstream) => !upstream && WRONG.has(failure));
const certificate = serviceRow("certificate", (failure) => CERTIFICATE_FAILURES.has(failure));

const disputed: Row = (scene) => {
  const failed = failedLooks(scene);
  const others = scene.looks.filter(
    (look) => look.good && isAware(scene, look) && failed.some((bad) => bad.target.name === look.target.name),
  );
  return failed.length > 0 && others.length > 0
    ? of("disputed", failed, [...failed.map(say.failed), ...others.map(say.fine)])
    : null;
};

const unclassified: Row = (scene) => {
  const failed = failedLooks(scene);
  return failed.length > 0 ? of("unclassified", failed, failed.map(say.failed)) : null;
};

/** The table of faults.md, in its order. */
const TABLE: readonly Row[] = [
  hostRow("parent_missing"),
  hostRow("parent_down"),
  hostRow("link_missing"),
  hostRow("link_down"),
  drifted,
  announcedOnParent,
  speakerStaleMac,
  announcedElsewhere,
  macConflict,
  macUnexpected,
  lanPath,
  siteNetwork,
  notAdvertised,
  noEndpoints,
  staleNeighbour,
  notAnnounced,
  vmPath,
  notForwarded,
  serviceDown,
  upstreamDns,
  answerWrong,
  certificate,
  disputed,
  unclassified,
];

/** The first row whose evidence is there; a root cause silences what follows from it. */
export function findCause(scene: Scene): Finding | null {
  for (const row of TABLE) {
    const finding = row(scene);
    if (finding !== null) return finding;
  }
  return null;
}

/** Whether a look votes for a heal of this cause: layer 2 alone (safety.md, "What votes for a heal"). */
export function votes(cause: Cause, look: Look, scene: Scene): boolean {
  if (cause === "stale_neighbour")
    return look.stale !== null || (look.neighbourFailed && look.tableMac !== null && look.tableMac !== scene.linkMac);
  if (cause === "speaker_stale_mac") return look.neighbourFailed && (look.answers?.length ?? 0) === 1;
  return failures(look).some(({ sample }) => LAYER2_FAILURES.has(sample.failure!));
}
