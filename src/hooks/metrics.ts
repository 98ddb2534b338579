import type { Context } from "hono";
import type { HubDeps, Metric, Vars } from "./deps.ts";

const escapeLabel = (text: string) => text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");

/** The text format of Prometheus, version 0.0.4. */
export function exposition(metrics: readonly Metric[]): string {
  const lines: string[] = [];
  for (const { name, help, type, samples } of metrics) {
    lines.push(`# HELP ${name} ${help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}`, `# TYPE ${name} ${type}`);
    for (const { labels, value } of samples) {
      const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escapeLabel(text)}"`);
      lines.push(`${name}${pairs.length > 0 ? `{${pairs.join(",")}}` : ""} ${Number.isNaN(value) ? "NaN" : value}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

export function metricsHook(deps: HubDeps) {
  return (c: Context<Vars>): Response =>
    c.body(exposition(deps.hub.metrics()), 200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" });
}
