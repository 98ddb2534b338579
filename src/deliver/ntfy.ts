import type { EventKind } from "../core/event.ts";
import type { Receiver, Send } from "./outgoing.ts";

export interface NtfyOptions {
  readonly name: string;
  /** With the topic: https://ntfy.sh/my-topic. */
  readonly url: string;
  readonly events: readonly EventKind[] | null;
  readonly token: string | null;
}

/** What rings at night (4), what is only to be read (2), everything else (3). ntfy.sh, "Message priority". */
const PRIORITY: Partial<Record<EventKind, string>> = {
  failing: "4",
  heal_failed: "4",
  asked_for_help: "5",
  guard_stopped: "5",
  site_dark: "4",
  guard_repaired: "2",
  vantage_silent: "2",
  vantage_back: "2",
  held: "2",
};
const TAGS: Partial<Record<EventKind, string>> = {
  failing: "rotating_light",
  asked_for_help: "sos",
  guard_stopped: "sos",
  heal_failed: "x",
  recovered: "white_check_mark",
  heal_succeeded: "white_check_mark",
  guard_repaired: "wrench",
  heal_started: "wrench",
  certificate_expiring: "hourglass",
};

/**
 * A header value in RFC 2047 form where it is not plain ASCII, which ntfy decodes; HTTP headers carry no other letters. Line ends
 * are taken out: a title must not become a further header.
 */
export function headerText(text: string): string {
  const line = text.replaceAll(/[\u0000-\u001f\u007f]+/g, " ").slice(0, 250);
  if (/^[\x20-\x7e]*$/.test(line)) return line;
  const bytes = new TextEncoder().encode(line);
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return `=?UTF-8?B?${btoa(binary)}?=`;
}

export function ntfy(options: NtfyOptions, send: Send): Receiver {
  return {
    name: options.name,
    events: options.events,
    confirms: false,
    deliver({ id, event }, signal) {
      const { data } = event;
      const headers: Record<string, string> = {
        "content-type": "text/plain; charset=utf-8",
        title: headerText(data.title),
        priority: PRIORITY[data.event] ?? "3",
        tags: TAGS[data.event] ?? "information_source",
        "webhook-id": id,
        ...(data.status_url === null ? {} : { click: headerText(data.status_url) }),
        ...(options.token === null ? {} : { authorization: `Bearer ${options.token}` }),
      };
      // ntfy turns a message of more than 4,096 bytes into an attachment.
      const body = [data.message, data.advice ? `\n${data.advice}` : ""].join("").slice(0, 1_300);
      return send({ method: "POST", url: options.url, headers, body }, signal);
    },
  };
}
