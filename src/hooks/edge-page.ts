import type { Context } from "hono";
import { type FleetList, LIST_MAX } from "../core/edge/fleet.ts";
import type { SiteStatus } from "../core/edge/port.ts";
import type { Vars } from "./deps.ts";
import type { EdgeDeps } from "./edge-deps.ts";
import { escapeHtml as e } from "./page.ts";
import { PAGE_STYLE } from "./page-assets.ts";

/** The hub's own style, with what only the edge has: a site that is dark, a search field, a list that one can click. */
const EDGE_STYLE = `${PAGE_STYLE}
tbody th{white-space:nowrap}main.dark{--tone:var(--bad)}main.waiting{--tone:var(--warn)}.dot.dark{background:var(--bad)}.dot.waiting{background:var(--warn)}
form{display:flex;gap:.5rem;margin:0 0 .8rem}input{flex:1;font:inherit;padding:.5rem .7rem;border-radius:8px;border:1px solid var(--line);background:var(--bg);color:inherit}button{font:inherit;padding:.5rem 1rem;border-radius:8px;border:1px solid var(--line);background:var(--card);color:inherit}
.counts{display:flex;flex-wrap:wrap;gap:1rem;margin:.4rem 0 0}
`;
/** Seconds after which a page asks again: it has no script. */
const REFRESH = 30;

const tone = (state: string): string => (/^[a-z]{2,16}$/.test(state) ? state : "unknown");
const dot = (state: string): string => `<span class="dot ${tone(state)}" title="${e(state)}"></span>`;
const clock = (iso: string | null): string =>
  iso === null ? "never" : `<time datetime="${e(iso)}">${e(iso.slice(0, 19).replace("T", " "))} UTC</time>`;

/** One self-contained document. Nothing in it runs, and nothing is fetched for it. */
async function answer(c: Context<Vars>, deps: EdgeDeps, title: string, main: string): Promise<Response> {
  const style = `'sha256-${await deps.digest64(EDGE_STYLE)}'`;
  const document = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><meta name="color-scheme" content="light dark">
<meta http-equiv="refresh" content="${REFRESH}"><title>${e(title)} · hairpin edge</title><link rel="icon" href="data:,"><style>${EDGE_STYLE}</style></head>
<body>${main}<footer class="quiet"><a href="/">all sites</a> · hairpin edge ${e(deps.version)}</footer></body></html>`;
  return c.body(document, 200, {
    "content-type": "text/html; charset=utf-8",
    vary: "accept",
    "content-security-policy": `default-src 'none'; style-src ${style}; img-src data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'`,
  });
}

export function fleetPage(c: Context<Vars>, deps: EdgeDeps, list: FleetList, search: string): Promise<Response> {
  const worst = list.sites[0]?.state ?? "unknown";
  const counts = Object.entries(list.counts).map(([state, n]) => `<span>${dot(state)}${n} ${e(state)}</span>`);
  const rows = list.sites.map(
    ({ site, state, cause, summary, since }) =>
      `<tr><th scope="row">${dot(state)}<a href="/v1/sites/${e(site)}/status">${e(site)}</a></th><td>${e(state)}${cause === null ? "" : `<br><code>${e(cause)}</code>`}</td><td>${e(summary)}</td><td>${clock(since)}</td></tr>`,
  );
  const table =
    rows.length === 0
      ? `<p class="quiet">${search === "" ? "No site has been added yet: hairpin edge add-site NAME." : "Nothing matches."}</p>`
      : `<div class="scroll"><table><thead><tr><th scope="col">Site</th><th scope="col">State</th><th scope="col">Known</th><th scope="col">Since</th></tr></thead><tbody>${rows.join("")}</tbody></table></div>`;
  const cut =
    list.total > list.sites.length ? `<p class="quiet">The worst ${list.sites.length} of ${list.total}.</p>` : "";
  return answer(
    c,
    deps,
    `${list.total} sites`,
    `<main class="${tone(worst)}"><header><p class="site">hairpin edge</p><h1>${list.total} ${list.total === 1 ? "site" : "sites"}</h1><div class="counts">${counts.join("")}</div></header>
<section><form method="get" action="/"><input type="search" name="q" value="${e(search)}" maxlength="128" placeholder="name, state, cause" aria-label="search"><button>Search</button></form>${table}${cut}</section></main>`,
  );
}

function targets(status: SiteStatus): string {
  const entries = Object.entries(status.house?.targets ?? {});
  if (entries.length === 0) return "";
  const rows = entries.map(([name, target]) => {
    const seen = Object.entries(target.vantages).map(
      ([vantage, one]) => `${e(vantage)} ${e(one.failure ?? one.state)}`,
    );
    return `<tr><th scope="row">${dot(target.state)}${e(name)}</th><td>${e(target.state)}</td><td>${seen.join("<br>")}</td></tr>`;
  });
  const title = status.state === "dark" ? "What the house said last" : "What the house says";
  return `<section><h2>${title}</h2><div class="scroll"><table><tbody>${rows.join("")}</tbody></table></div></section>`;
}

function outside(status: SiteStatus): string {
  const rows = status.outside.map(
    (seen) =>
      `<tr><th scope="row">${dot(seen.ok ? "ok" : "failing")}${e(seen.id)}</th><td>${e(seen.failure ?? "ok")}${seen.ms === null ? "" : ` <small>${Math.round(seen.ms)} ms</small>`}</td><td>${e(seen.detail)}</td><td>${clock(seen.observed_at)}</td></tr>`,
  );
  return rows.length === 0
    ? ""
    : `<section><h2>Seen from outside</h2><div class="scroll"><table><tbody>${rows.join("")}</tbody></table></div></section>`;
}

function history(status: SiteStatus): string {
  const events = status.events.map(
    (one) =>
      `<li><span class="kind">${e(one.event)}</span><div><b>${e(one.title)}</b><p>${e(one.message)}</p></div>${clock(one.timestamp)}</li>`,
  );
  const heals = status.heals.map(
    (heal) =>
      `<li><span class="kind">heal ${e(heal.state)}</span><div><code>${e(heal.id)}</code><p>${e(heal.result?.detail)}</p></div>${clock(heal.requested_at)}</li>`,
  );
  const deliveries = status.deliveries.map(
    (one) =>
      `<li><span class="kind">${e(one.state)}</span><div>${e(one.event)} to ${e(one.receiver)}<p>${e(one.last_error)}</p></div>${clock(one.created_at)}</li>`,
  );
  const list = (title: string, items: readonly string[], none: string) =>
    `<section><h2>${title}</h2>${items.length === 0 ? `<p class="quiet">${none}</p>` : `<ol class="events">${items.join("")}</ol>`}</section>`;
  const silent =
    status.receivers.length === 0
      ? "No receiver is set: nobody would be told that this site is dark."
      : "Nothing was sent yet.";
  return (
    list("Events of the edge", events, "Nothing has happened yet.") +
    (heals.length === 0 ? "" : list("Requests to heal", heals, "")) +
    list("Alerts", deliveries, silent)
  );
}

export function sitePage(c: Context<Vars>, deps: EdgeDeps, status: SiteStatus): Promise<Response> {
  const { site, state, cause, summary, since, last_seen } = status;
  return answer(
    c,
    deps,
    `${state} · ${site}`,
    `<main class="${tone(state)}"><header><p class="site">hairpin edge · ${e(site)}</p><h1>${e(state)}</h1>${cause === null ? "" : `<p class="cause"><code>${e(cause)}</code></p>`}
<p class="summary">${e(summary)}</p><p class="quiet">since ${clock(since)} · last heard ${clock(last_seen)}</p></header>
${targets(status)}${outside(status)}${history(status)}</main>`,
  );
}

/** GET / and GET /v1/sites: `q` searches, `limit` bounds. */
export function fleetHook(deps: EdgeDeps) {
  return async (c: Context<Vars>): Promise<Response> => {
    const search = (c.req.query("q") ?? "").slice(0, 128).trim();
    const asked = Number(c.req.query("limit") ?? 200);
    const limit = Number.isInteger(asked) && asked >= 1 ? Math.min(asked, LIST_MAX) : 200;
    const list = await deps.fleet.list(search, limit);
    c.header("vary", "accept");
    return /\btext\/html\b/.test(c.req.header("accept") ?? "") ? fleetPage(c, deps, list, search) : c.json(list);
  };
}
