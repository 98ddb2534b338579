import type { Context } from "hono";
import type { HairpinEvent } from "../core/event.ts";
import type { HubDeps, Vars } from "./deps.ts";
import { PAGE_SCRIPT, PAGE_STYLE } from "./page-assets.ts";

/** The part of GET /v1/status that the page shows; everything in it may be missing on the page of a house that just started. */
interface Shown {
  readonly site: string;
  readonly state: string;
  readonly cause: string | null;
  readonly summary: string;
  readonly since: string | null;
  readonly link?: Readonly<Record<string, unknown>> | null;
  readonly targets?: Readonly<Record<string, { state: string; vantages: Readonly<Record<string, Cell>> }>>;
  readonly heal?: Readonly<Record<string, unknown>>;
  readonly edge?: {
    readonly state: string;
    readonly summary: string;
    readonly accepted_at: string | null;
    readonly checks: Readonly<Record<string, OutsideCell>>;
  };
}

interface OutsideCell {
  readonly state: string;
  readonly failure: string | null;
  readonly detail: string | null;
  readonly ms: number | null;
}

interface Cell {
  readonly state: string;
  readonly rtt_ms: number | null;
  readonly mac: string | null;
  readonly failure: string | null;
  readonly observed_at: string | null;
}

/**
 * Makes text safe to show: markup is escaped, and what would move the cursor or turn the line around (ESC, CR, U+202E …) is
 * written out, because it comes from the network (fault 17).
 */
export function escapeHtml(value: unknown): string {
  return String(value ?? "")
    .replaceAll(
      /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
      (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
    )
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}

const e = escapeHtml;
const clock = (iso: string | null): string =>
  iso === null ? "" : `<time datetime="${e(iso)}">${e(iso.replace("T", " ").replace(/\.\d+Z$|Z$/, ""))} UTC</time>`;
const tone = (state: string): string =>
  /^(ok|suspect|failing|failed|degraded|healing|unknown|maintenance)$/.test(state) ? state : "unknown";

function targetsTable(status: Shown): string {
  const targets = Object.entries(status.targets ?? {});
  if (targets.length === 0) return '<p class="quiet">No targets are configured: hairpin runs, and heals nothing.</p>';
  const vantages = [...new Set(targets.flatMap(([, target]) => Object.keys(target.vantages ?? {})))];
  const head = vantages.map((name) => `<th scope="col">${e(name)}</th>`).join("");
  const rows = targets.map(([name, target]) => {
    const cells = vantages.map((vantage) => cell(target.vantages?.[vantage]));
    return `<tr><th scope="row"><span class="dot ${tone(target.state)}" title="${e(target.state)}"></span>${e(name)}</th>${cells.join("")}</tr>`;
  });
  return `<div class="scroll"><table><thead><tr><th scope="col">Target</th>${head}</tr></thead><tbody>${rows.join("")}</tbody></table></div>`;
}

function cell(shown: Cell | undefined): string {
  if (shown === undefined) return '<td class="quiet">–</td>';
  const word = shown.failure ?? shown.state;
  const time =
    shown.rtt_ms === null
      ? ""
      : ` <small>${e(shown.rtt_ms < 10 ? shown.rtt_ms.toFixed(1) : Math.round(shown.rtt_ms))} ms</small>`;
  return `<td><span class="dot ${tone(shown.state)}"></span>${e(word)}${time}${shown.mac === null ? "" : `<br><code>${e(shown.mac)}</code>`}</td>`;
}

/** What the edge verifier sees of the public names; nothing where the house has no edge. */
function outsideSection(edge: Shown["edge"]): string {
  if (edge === undefined) return "";
  const rows = Object.entries(edge.checks).map(([id, { state, failure, detail, ms }]) => {
    const time = ms === null ? "" : ` <small>${e(Math.round(ms))} ms</small>`;
    const why = detail === null ? "" : `<br><small>${e(detail)}</small>`;
    return `<tr><th scope="row"><span class="dot ${tone(state)}"></span>${e(id)}</th><td>${e(failure ?? state)}${time}${why}</td></tr>`;
  });
  const table = rows.length === 0 ? "" : `<div class="scroll"><table><tbody>${rows.join("")}</tbody></table></div>`;
  const heard =
    edge.accepted_at === null ? "" : `<p class="quiet">last heard by the edge ${clock(edge.accepted_at)}</p>`;
  return `<section><h2>Seen from outside</h2><p>${e(edge.summary)}</p>${table}${heard}</section>`;
}

const plain = (value: unknown): string =>
  value !== null && typeof value === "object"
    ? Object.values(value).map(plain).filter(Boolean).join(", ")
    : String(value ?? "none");

function facts(title: string, record: Readonly<Record<string, unknown>> | null | undefined): string {
  const entries = Object.entries(record ?? {});
  if (entries.length === 0) return "";
  const items = entries.map(
    ([key, value]) => `<div><dt>${e(key.replaceAll("_", " "))}</dt><dd>${e(plain(value))}</dd></div>`,
  );
  return `<section><h2>${e(title)}</h2><dl>${items.join("")}</dl></section>`;
}

function eventList(events: readonly HairpinEvent[]): string {
  if (events.length === 0) return '<p class="quiet">Nothing has happened yet.</p>';
  const items = events.map(
    ({ timestamp, data }) =>
      `<li><span class="kind">${e(data.event)}</span><div><b>${e(data.title)}</b><p>${e(data.message)}</p>${data.advice ? `<pre>${e(data.advice)}</pre>` : ""}</div>${clock(timestamp)}</li>`,
  );
  return `<ol class="events">${items.join("")}</ol>`;
}

/** The page as one self-contained document. The script fetches it again and swaps `main`, so there is one way of rendering. */
export function page(status: Shown, events: readonly HairpinEvent[]): string {
  const state = tone(status.state);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><meta name="color-scheme" content="light dark">
<title>${e(status.state)} · ${e(status.site)} · hairpin</title><link rel="icon" href="data:,"><style>${PAGE_STYLE}</style></head>
<body><main class="${state}">
<header><p class="site">hairpin · ${e(status.site)}</p><h1>${e(status.state)}</h1>${status.cause === null ? "" : `<p class="cause"><code>${e(status.cause)}</code></p>`}
<p class="summary">${e(status.summary)}</p>${status.since === null ? "" : `<p class="quiet">since ${clock(status.since)}</p>`}</header>
<section><h2>Seen from each vantage</h2>${targetsTable(status)}</section>
${outsideSection(status.edge)}
${facts("Healing", status.heal)}${facts("Link", status.link)}
<section><h2>Last events</h2>${eventList(events)}</section>
</main><footer class="quiet"><a href="/v1/status">status</a> · <a href="/v1/events">events</a> · <a href="/metrics">metrics</a> · <a href="/openapi.json">API</a></footer>
<script>${PAGE_SCRIPT}</script></body></html>`;
}

function base64OfHex(hex: string): string {
  return btoa(String.fromCharCode(...(hex.match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16))));
}

export function pageHook(deps: HubDeps) {
  // Hashes instead of unsafe-inline: markup that slipped through the escaping still could not run.
  const hash = (text: string) => `'sha256-${base64OfHex(deps.digest(text))}'`;
  const policy = `default-src 'none'; script-src ${hash(PAGE_SCRIPT)}; style-src ${hash(PAGE_STYLE)}; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
  return (c: Context<Vars>): Response => {
    const latest = [...deps.hub.events(-1, 12)].reverse();
    return c.body(page(deps.hub.status() as Shown, latest), 200, {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": policy,
    });
  };
}
