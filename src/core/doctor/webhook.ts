import type { Delivery, SubscriberState } from "../delivery.ts";

/** What Home Assistant's answers to a webhook mean (measured on 2025.1, 2025.4 and 2026.11; facts/home-assistant). */

export interface Explained {
  /** One sentence. */
  readonly text: string;
  /** What it may be, a sentence each. */
  readonly causes: readonly string[];
  /** What to type or to change. */
  readonly advice: string | null;
}

/** A 200 proves nothing: these are answered with it, and no automation runs. */
export const UNHEARD: readonly string[] = [
  "No automation has this webhook id: compare webhook_id_file with the automation's (in the blueprint: Webhook ID).",
  "The automation is switched off, or its trigger is of another kind.",
  "The caller is not local for Home Assistant: 100.64.0.0/10 (Tailscale) and public addresses are not. Its log then says: received remote request for local webhook.",
  "Home Assistant was starting: it answers before its automations are loaded.",
  "Or it was shown, and is not acknowledged: the blueprint's Acknowledge wants rest_command.hairpin_ack, with a token of the scope ack.",
];

/** What became of a report to Home Assistant; null where there is nothing to explain. */
export function explainDelivery(
  { state, last_status, last_error }: Pick<Delivery, "state" | "last_status" | "last_error">,
  subscriber: SubscriberState | null,
): Explained | null {
  if (state === "accepted" || state === "unconfirmed")
    return {
      text:
        subscriber?.confirmed_at === undefined
          ? "answered 200 and confirmed nothing so far; it answers 200 also when nobody listens."
          : `answered 200 and did not confirm; what it last confirmed was at ${subscriber.confirmed_at}.`,
      causes: UNHEARD,
      advice: "in Home Assistant: Settings, Automations, Hairpin alert, Traces",
    };
  if (state === "confirmed" || state === "delivered" || state === "superseded" || (last_status ?? last_error) === null)
    return null;
  return explainStatus(last_status, last_error ?? "no answer");
}

/** The meaning of an answer that is no success; `detail` says why there was none. */
export function explainStatus(status: number | null, detail: string): Explained {
  const plain = (text: string, advice: string | null = null): Explained => ({ text, causes: [], advice });
  if (status === null) return plain(`does not answer: ${detail}.`, "hairpin doctor   # on the hub's machine");
  if (status >= 300 && status < 400)
    return plain(
      `answered ${status}: it lives elsewhere, and a redirect is not followed.`,
      "write the address and port that it has now (new installations: port 80) into notify.home_assistant.url",
    );
  if (status === 400)
    return plain(
      "answered 400: a proxy stands before Home Assistant that it does not trust.",
      "Settings, System, Network, HTTP server: trust the proxy's address; or write Home Assistant's own address",
    );
  if (status === 401 || status === 403)
    return plain(
      `answered ${status}: a proxy wants a login. Home Assistant itself never does for a webhook.`,
      "write Home Assistant's own address into notify.home_assistant.url",
    );
  if (status === 405)
    return plain(
      "answered 405: the webhook does not take POST.",
      "in the automation's trigger allow POST; when several have this id, the first one's methods count",
    );
  if (status === 404 || status === 410)
    return plain(
      `answered ${status}: this is not Home Assistant, which answers 200 to every webhook id.`,
      "write scheme, address and port of Home Assistant into notify.home_assistant.url, without a path",
    );
  if (status >= 500) return plain(`answered ${status}: it is starting, or its proxy does not reach it.`);
  return plain(`answered ${status}.`);
}

const IPV4 = /^(\d+)\.(\d+)\.\d+\.\d+$/;

/** Whether Home Assistant holds a caller for local; null for what is no address. Its own list: 100.64.0.0/10 is not on it. */
export function isLocalCaller(address: string): boolean | null {
  const four = IPV4.exec(address);
  if (four !== null) {
    const [a, b] = [Number(four[1]), Number(four[2])];
    return (
      a === 127 || a === 10 || (a === 172 && b >= 16 && b < 32) || (a === 192 && b === 168) || (a === 169 && b === 254)
    );
  }
  const six = address.replace(/^\[|\]$/g, "").toLowerCase();
  if (!six.includes(":")) return null;
  return six === "::1" || /^fd|^fe[89ab]/.test(six);
}
