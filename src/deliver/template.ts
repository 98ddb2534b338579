import type { EventData } from "../core/event.ts";

/** Placeholders that a template may use: the fields of the flat data, and a few that are handy. */
export type TemplateValues = Readonly<Record<string, string>>;

export function templateValues(data: EventData, deliveryId: string, timestamp: string): TemplateValues {
  const values: Record<string, string> = { delivery_id: deliveryId, timestamp };
  for (const [key, value] of Object.entries(data))
    values[key] = Array.isArray(value) ? value.join(", ") : value == null ? "" : String(value);
  return values;
}

/**
 * Fills a JSON template. Each value is escaped as the inside of a JSON string, so that a quote in a message cannot break out of
 * its string; a placeholder therefore stands between quotes. An unknown one becomes empty.
 */
export function fillTemplate(template: string, values: TemplateValues): string {
  return template.replaceAll(/\{\{\s*([a-z_]{1,32})\s*\}\}/g, (_, name: string) => {
    const value = Object.hasOwn(values, name) ? values[name]! : "";
    return JSON.stringify(value).slice(1, -1);
  });
}

/** What is wrong with a template; null when it is JSON with known placeholders. Asked once, when the hub starts. */
export function templateProblem(template: string): string | null {
  const known = new Set([
    "delivery_id",
    "timestamp",
    "schema",
    "event",
    "site",
    "target",
    "cause",
    "title",
    "message",
    "since",
    "vantages_failing",
    "incident",
    "heal_id",
    "can_heal",
    "status_url",
    "advice",
    "held_by",
  ]);
  for (const [, name] of template.matchAll(/\{\{\s*([^}]*?)\s*\}\}/g))
    if (!known.has(name!)) return `unknown placeholder {{${name}}}; known are ${[...known].join(", ")}`;
  try {
    JSON.parse(fillTemplate(template, {}));
    return null;
  } catch {
    return "not JSON once it is filled; each placeholder stands between quotes";
  }
}
