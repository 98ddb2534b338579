import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { House } from "../../core/config/house.ts";
import type { NotifyConfig } from "../../core/config/schema.ts";
import { EVENT_KINDS, type EventKind } from "../../core/event.ts";
import { type HeartbeatReceiver, heartbeat } from "../../deliver/heartbeat.ts";
import { homeAssistant } from "../../deliver/home-assistant.ts";
import { ntfy } from "../../deliver/ntfy.ts";
import type { Receiver, Send } from "../../deliver/outgoing.ts";
import { templateProblem } from "../../deliver/template.ts";
import { webhook } from "../../deliver/webhook.ts";
import { hmac } from "./hmac.ts";
import { readWebhookSecrets } from "./hub-keys.ts";
import { readSecret, SecretError } from "./secret-file.ts";

export interface Receivers {
  readonly receivers: readonly Receiver[];
  readonly heartbeats: readonly HeartbeatReceiver[];
}

/** Builds what `notify` lists, but for brokers (mqtt-client.ts). Throws SecretError for a secret or a template that must not be used. */
export function receiversOf(house: House, dir: string, send: Send): Receivers {
  const receivers: Receiver[] = [];
  const heartbeats: HeartbeatReceiver[] = [];
  const used = new Set<string>();
  const named = (wanted: string | undefined, kind: string): string => {
    let name = wanted ?? kind;
    for (let count = 2; used.has(name); count++) name = `${wanted ?? kind}-${count}`;
    used.add(name);
    return name;
  };
  for (const entry of house.notify) {
    const receiver = receiverOf(entry, dir, send, named);
    if (receiver !== null) receivers.push(receiver);
    else if ("heartbeat" in entry)
      heartbeats.push(
        heartbeat(
          {
            name: named(entry.heartbeat.name, "heartbeat"),
            url: entry.heartbeat.url,
            every: Math.max(1_000, entry.heartbeat.every),
          },
          send,
        ),
      );
  }
  return { receivers, heartbeats };
}

function receiverOf(
  entry: NotifyConfig,
  dir: string,
  send: Send,
  named: (wanted: string | undefined, kind: string) => string,
): Receiver | null {
  if ("home_assistant" in entry) {
    const { url, webhook_id_file, name, events } = entry.home_assistant;
    return homeAssistant(
      {
        name: named(name, "home-assistant"),
        url,
        webhookId: readSecret(resolve(dir, webhook_id_file)),
        events: kinds(events),
      },
      send,
    );
  }
  if ("webhook" in entry) {
    const { url, name, events, secret_file, template_file } = entry.webhook;
    const secrets = secret_file === undefined ? [] : readWebhookSecrets(resolve(dir, secret_file));
    const template = template_file === undefined ? null : readTemplate(resolve(dir, template_file));
    return webhook({ name: named(name, "webhook"), url, secrets, template, events: kinds(events) }, send, hmac);
  }
  if ("ntfy" in entry) {
    const { url, name, events, token_file } = entry.ntfy;
    return ntfy(
      {
        name: named(name, "ntfy"),
        url,
        token: token_file === undefined ? null : readSecret(resolve(dir, token_file)),
        events: kinds(events),
      },
      send,
    );
  }
  return null;
}

function kinds(events: readonly string[] | undefined): readonly EventKind[] | null {
  return events === undefined ? null : EVENT_KINDS.filter((kind) => events.includes(kind));
}

function readTemplate(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new SecretError(path, `the template ${path} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  const problem = text.length > 65_536 ? "larger than 64 KiB" : templateProblem(text);
  if (problem !== null) throw new SecretError(path, `the template ${path}: ${problem}`);
  return text;
}
