import { type House, hostOfUrl } from "../config/house.ts";
import { brokerFindings } from "./broker.ts";
import type { Examination, HomeAssistantSight } from "./examination.ts";
import { bad, type DoctorFinding, good, warning } from "./finding.ts";

/** The way on which a person is told: Home Assistant's door, and where the other receivers live. */
export function tellingFindings(exam: Examination): readonly DoctorFinding[] {
  return [
    ...exam.homeAssistants.flatMap((sight) => homeAssistant(sight, exam.isHub)),
    ...(exam.brokers ?? []).flatMap((sight) => brokerFindings(sight, exam.house, exam.isHub)),
    ...receiverWarnings(exam.house),
  ];
}

/** GET /manifest.json is open to everybody. /api/ is never asked: failed logins there get the asker banned. */
function homeAssistant(sight: HomeAssistantSight, isHub: boolean | null): DoctorFinding[] {
  const { origin, status } = sight;
  const test = "hairpin test-notification   # posts to the webhook and says whether it was heard";
  const named = sight.isNamed
    ? [
        warning("home_assistant", `${origin} is a name: telling depends on DNS. An address is wanted.`, [
          "notify.home_assistant.url",
        ]),
      ]
    : [];
  if (status !== null && status >= 200 && status < 300)
    return [
      good(
        "home_assistant",
        `Home Assistant answers at ${origin}; whether the webhook is heard, ${test.split("   ")[0]} says.`,
      ),
      ...named,
    ];
  const [text, cure] = problem(sight);
  const known = [status === null ? (sight.detail ?? "no answer") : `GET ${origin}/manifest.json answered ${status}.`];
  // Events leave from the hub's machine: that another one does not get through may be a firewall's wish.
  return [
    isHub === false
      ? warning("home_assistant", `${text} From here; what counts is the hub's machine.`, known, cure)
      : bad("home_assistant", text, known, cure),
    ...named,
  ];
}

function problem({ origin, status }: HomeAssistantSight): [string, string] {
  if (status === null)
    return [`Home Assistant does not answer at ${origin}: nobody is told there.`, `curl -sv ${origin}/manifest.json`];
  if (status === 400)
    return [
      `${origin} answers 400: a proxy stands before Home Assistant that it does not trust.`,
      "http: { use_x_forwarded_for: true, trusted_proxies: [PROXY] }   # in Home Assistant's configuration.yaml",
    ];
  if (status === 405)
    return [
      `${origin} answers 405: this is not Home Assistant, or a proxy refuses the method.`,
      `curl -sv ${origin}/manifest.json`,
    ];
  if (status >= 500)
    return [
      `${origin} answers ${status}: Home Assistant is starting, or its proxy does not reach it.`,
      `curl -sv ${origin}/manifest.json`,
    ];
  return [
    `${origin} answers ${status}: something else than Home Assistant lives there.`,
    `curl -sv ${origin}/manifest.json`,
  ];
}

/** Receivers that are reached through what is guarded fall silent together with it. */
function receiverWarnings(house: House): DoctorFinding[] {
  const addresses = new Map(
    house.targets.flatMap((target) => target.addresses.map((one) => [one, target.name] as const)),
  );
  const names = new Map(
    house.targets.flatMap((target) =>
      target.checks.flatMap((check) =>
        check.kind === "https" ? [[check.host.toLowerCase(), target.name] as const] : [],
      ),
    ),
  );
  return house.notify.flatMap((entry) => {
    const [kind, settings] = Object.entries(entry)[0] as [string, { readonly url: string }];
    const host = hostOfUrl(settings.url);
    const target = addresses.get(host) ?? names.get(host);
    if (target === undefined) return [];
    const text = `notify.${kind} is reached through ${target}, which is guarded: it falls silent when it is needed.`;
    return [
      warning(
        "receivers",
        text,
        [`Its host is ${host}.`],
        "give the receiver an address that does not depend on MetalLB",
      ),
    ];
  });
}
