import { type House, hostOfUrl } from "../config/house.ts";
import { shellWord } from "../what-to-type.ts";
import { brokerFindings } from "./broker.ts";
import type { Examination, HomeAssistantSight } from "./examination.ts";
import { bad, type DoctorFinding, good, warning } from "./finding.ts";
import { explainDelivery, explainStatus, isLocalCaller } from "./webhook.ts";

/** The way on which a person is told: Home Assistant's door, and where the other receivers live. */
export function tellingFindings(exam: Examination): readonly DoctorFinding[] {
  return [
    ...exam.homeAssistants.flatMap((sight) => homeAssistant(sight, exam.house, exam.isHub)),
    ...(exam.brokers ?? []).flatMap((sight) => brokerFindings(sight, exam.house, exam.isHub)),
    ...receiverWarnings(exam.house),
  ];
}

/** GET /manifest.json is open to everybody. /api/ is never asked: failed logins there get the asker banned. */
function homeAssistant(sight: HomeAssistantSight, house: House, isHub: boolean | null): DoctorFinding[] {
  const { origin, status } = sight;
  const named = sight.isNamed
    ? [
        warning("home_assistant", `${origin} is a name: telling depends on DNS. An address is wanted.`, [
          "notify.home_assistant.url",
        ]),
      ]
    : [];
  const also = [...named, ...farCaller(sight, house)];
  if (status !== null && status >= 200 && status < 300) return [heard(sight), ...also];
  const { text, advice } = explainStatus(status, sight.detail ?? "no answer");
  const words = status === null ? "does not answer: nobody is told there." : text;
  const known = [status === null ? (sight.detail ?? "no answer") : `GET ${origin}/manifest.json answered ${status}.`];
  const cure = status === null || advice === null ? `curl -sv ${shellWord(`${origin}/manifest.json`)}` : advice;
  const said = `Home Assistant at ${origin} ${words}`;
  // Events leave from the hub's machine: that another one does not get through may be a firewall's wish.
  return [
    isHub === false
      ? warning("home_assistant", `${said} From here; what counts is the hub's machine.`, known, cure)
      : bad("home_assistant", said, known, cure),
    ...also,
  ];
}

/** That it answers says nothing of the webhook; what the hub remembers of its reports does. */
function heard({ origin, reports }: HomeAssistantSight): DoctorFinding {
  const test = "hairpin test-notification   # posts to the webhook and says whether it was heard";
  const there = `Home Assistant answers at ${origin}`;
  const { latest = null, confirmed_at = null } = reports ?? {};
  if (latest === null)
    return good("home_assistant", `${there}; whether the webhook is heard, ${test.split("   ")[0]} says.`);
  if (latest.state === "confirmed")
    return good("home_assistant", `${there}, and the latest report (${latest.kind}) was confirmed at ${confirmed_at}.`);
  const about = `The latest report (${latest.kind} of ${latest.created_at}) is ${latest.state}`;
  const subscriber = { name: "", disabled: null, not_found: 0, ...(confirmed_at === null ? {} : { confirmed_at }) };
  const why = explainDelivery(latest, subscriber);
  if (why === null) return good("home_assistant", `${there}. ${about}.`);
  return warning(
    "home_assistant",
    `${there}, and a report was not confirmed: it ${why.text}`,
    [`${about}.`, ...why.causes],
    test,
  );
}

/** A hub that Home Assistant takes for a stranger is answered 200, and not heard. */
function farCaller({ origin }: HomeAssistantSight, house: House): DoctorFinding[] {
  const hub = hostOfUrl(house.hub.url ?? "");
  const there = hostOfUrl(origin);
  const far = [hub, there].find((address) => isLocalCaller(address) === false);
  if (far === undefined) return [];
  const text = `${far} is not local for Home Assistant: a webhook with "local only" answers 200 to such a caller, and drops what it sends.`;
  return [
    warning(
      "home_assistant",
      text,
      [
        "Local are 10/8, 172.16/12, 192.168/16, 127/8, 169.254/16, fd00::/8 and fe80::/10; 100.64/10 (Tailscale) is not.",
      ],
      "let hub and Home Assistant talk over their LAN addresses",
    ),
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
