import type { HubStatus, VantageView, ViewedBroker, ViewedCheck, ViewedHub } from "../core/vantage-view.ts";
import { INGRESS_SCRIPT, INGRESS_STYLE } from "./ingress-page-assets.ts";
import { escapeHtml as e } from "./page.ts";

const clock = (iso: string | null): string =>
  iso === null ? "" : `<time datetime="${e(iso)}">${e(iso.replace("T", " ").replace(/\.\d+Z$|Z$/, ""))} UTC</time>`;
const tone = (state: string): string =>
  /^(ok|suspect|failing|failed|degraded|healing|unknown|maintenance)$/.test(state) ? state : "unknown";
const dot = (state: string): string => `<span class="dot ${tone(state)}"></span>`;

/** What stands large at the top: this vantage's own sight, in one word and one sentence. */
function headline(view: VantageView): { readonly state: string; readonly sentence: string } {
  const checks = view.targets.flatMap((target) => target.checks.map((check) => ({ ...check, target: target.name })));
  const failing = checks.filter((check) => !check.ok);
  if (checks.length === 0) {
    const sentence =
      view.schedule === null
        ? "No plan yet: the hub has not said what to watch. It is asked again and again."
        : "Nothing has been checked yet.";
    return { state: "unknown", sentence };
  }
  if (view.control_ok === false)
    return {
      state: "unknown",
      sentence: "This machine's own way to its network is broken, so what it sees says nothing of the addresses.",
    };
  if (failing.length === 0) return { state: "ok", sentence: `What is checked is good from here (${checks.length}).` };
  const names = [...new Set(failing.map((check) => check.target))];
  return {
    state: "failing",
    sentence: `${names.join(" and ")}: ${failing.length} of ${checks.length} checks fail from here.`,
  };
}

function checkRow({ id, ok, failure, detail, ms, mac, observed_at }: ViewedCheck): string {
  const time = ms === null ? "" : ` <small>${e(ms < 10 ? ms.toFixed(1) : Math.round(ms))} ms</small>`;
  const said = ok ? "ok" : (failure ?? "failed");
  const more = [ok || detail === null ? "" : `<br>${e(detail)}`, mac === null ? "" : `<br><code>${e(mac)}</code>`];
  return `<tr><th scope="row">${e(id)}</th><td>${dot(ok ? "ok" : "failed")}${e(said)}${time}${more.join("")}</td><td>${clock(observed_at)}</td></tr>`;
}

function seenFrom(view: VantageView): string {
  const parts = view.targets.map(
    ({ name, checks }) =>
      `<h3>${dot(checks.every((check) => check.ok) ? "ok" : "failing")}${e(name)}</h3><div class="scroll"><table><tbody>${checks.map(checkRow).join("")}</tbody></table></div>`,
  );
  return `<section><h2>Seen from this machine</h2>${parts.join("") || '<p class="quiet">Nothing yet.</p>'}</section>`;
}

const HUB_WORDS: Readonly<Record<ViewedHub["state"], string>> = {
  answers: "The hub answers.",
  silent: "The hub does not answer.",
  refuses: "The hub does not know this app's key.",
  waiting: "The hub has not been heard yet.",
};

function hubSection(view: VantageView, status: HubStatus | null): string {
  const { hub } = view;
  const isGood = hub.state === "answers";
  const words = `<p>${dot(isGood ? "ok" : "failing")}${HUB_WORDS[hub.state]} <code>${e(hub.url)}</code></p>`;
  const detail = hub.detail === null ? "" : `<p class="quiet">${e(hub.detail)}</p>`;
  const last = isGood || hub.answered_at === null ? "" : `<p class="quiet">last heard ${clock(hub.answered_at)}</p>`;
  const told = view.told ? '<p class="quiet">Home Assistant shows a notification about it.</p>' : "";
  const unsaid = isGood ? '<p class="quiet">It does not say its status just now.</p>' : "";
  const says = status === null ? unsaid : statusOf(status);
  return `<section><h2>The hub</h2>${words}${detail}${last}${told}${says}</section>`;
}

function statusOf({ state, cause, summary, since, heal }: HubStatus): string {
  // While a repair that a person asked for is under way, the gate says what would hold back the next automatic one.
  const isUnderWay = ["pending", "healing", "verifying"].includes(heal.state ?? "");
  const isHeld = heal.held_by !== null && !isUnderWay;
  const standing = isHeld && heal.state === "held" ? "" : `, ${e(heal.state ?? "unknown")}`;
  const held = isHeld ? `, held by <code>${e(heal.held_by)}</code>` : "";
  return `<p class="verdict">${dot(state)}<b>${e(state)}</b>${cause === null ? "" : ` <code>${e(cause)}</code>`}</p><p>${e(summary)}</p>${since === null ? "" : `<p class="quiet">since ${clock(since)}</p>`}<p class="quiet">Repairs: ${e(heal.mode ?? "unknown")}${standing}${held}</p>`;
}

/** A press asks first: the dialog stands outside of `main`, which is drawn anew every few seconds. */
function healSection(view: VantageView): string {
  if (!view.heal_button) return "";
  const isOff = view.hub.state === "answers" ? "" : " disabled";
  return `<section class="heal"><h2>Repair</h2><p>Puts the link right on the Kubernetes host, or makes it anew. The hub decides, within its budget, and does nothing where that would not help.</p><button type="button" id="heal"${isOff}>Heal now</button></section>`;
}

function brokerSection(broker: ViewedBroker | null): string {
  if (broker === null) return "";
  const login = broker.username === null ? "" : `, login <code>${e(broker.username)}</code>`;
  const scheme = broker.tls ? "mqtts" : "mqtt";
  return `<section><h2>Home Assistant's broker</h2><p>The supervisor knows <code>${e(broker.host)}:${broker.port}</code>${broker.tls ? " with TLS" : ""}${login}. To have hairpin as a device in Home Assistant, write at the hub, with this machine's address and a login of its own:</p><pre>notify:
  - mqtt: { url: "${scheme}://ADDRESS-OF-HOME-ASSISTANT:${broker.port}", username: hairpin, password_file: keys/mqtt }</pre></section>`;
}

/** The page as one document without anything from elsewhere. Its script fetches it again and swaps `main`. */
export function ingressPage(view: VantageView, status: HubStatus | null, pageToken: string): string {
  const { state, sentence } = headline(view);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><meta name="color-scheme" content="light dark">
<title>${e(state)} · ${e(view.vantage)} · hairpin</title><link rel="icon" href="data:,"><style>${INGRESS_STYLE}</style></head>
<body><main class="${tone(state)}" data-page="${e(pageToken)}">
<header><p class="site">hairpin · ${e(view.site)} · ${e(view.vantage)}</p><h1>${e(state)}</h1><p class="summary">${e(sentence)}</p></header>
${hubSection(view, status)}${healSection(view)}${seenFrom(view)}${brokerSection(view.broker)}
</main><p id="answer" role="status" hidden></p>
<dialog id="sure" aria-labelledby="ask"><h2 id="ask">Repair now?</h2><p>The link of the addresses may be made anew: clients lose them for about a second.</p><div><button type="button" id="no">Cancel</button><button type="button" id="yes" class="go">Heal now</button></div></dialog>
<footer class="quiet">hairpin ${e(view.version)}${view.schedule === null ? "" : ` · every <code>${e(view.schedule)}</code>`}</footer>
<script>${INGRESS_SCRIPT}</script></body></html>`;
}

/** Hashes instead of unsafe-inline: markup that slipped through the escaping still could not run. */
export function ingressPolicy(digest: (text: string) => string): string {
  const base64 = (hex: string) =>
    btoa(String.fromCharCode(...(hex.match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16))));
  const hash = (text: string) => `'sha256-${base64(digest(text))}'`;
  return `default-src 'none'; script-src ${hash(INGRESS_SCRIPT)}; style-src ${hash(INGRESS_STYLE)}; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'`;
}
