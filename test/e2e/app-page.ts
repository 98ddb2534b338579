import { logIn } from "./browser.ts";
import type { HomeAssistant } from "./home-assistant/real.ts";
import { APP_SLUG } from "./home-assistant/supervisor-facts.ts";

const PATIENCE_MS = 45_000;
const PICTURE = { width: 1_100, height: 910 };

/** The app's page as somebody who is logged in to Home Assistant has it. */
export interface AppPage {
  readonly by: "a browser" | "HTTP";
  /** Opens it from the sidebar. */
  open(): Promise<void>;
  read(): Promise<string>;
  /** Under which path Home Assistant serves it. */
  path(): Promise<string>;
  /** Heal now; what the page answers. */
  press(): Promise<string>;
  picture(file: string): Promise<void>;
  close(): Promise<void>;
}

async function pathOf(home: HomeAssistant): Promise<string> {
  const command = { type: "supervisor/api", method: "get", endpoint: `/addons/${APP_SLUG}/info` };
  return (await home.ask<{ ingress_url: string }>(command)).ingress_url;
}

/** In a real browser: the sidebar of the real frontend, and the page in its frame. */
export async function pageInBrowser(home: HomeAssistant): Promise<AppPage> {
  const { browser, page } = await logIn(home);
  page.setDefaultTimeout(PATIENCE_MS);
  const frame = page.frameLocator(`iframe[src*="/api/hassio_ingress/"]`);
  const read = async () => (await frame.locator("main").textContent()) ?? "";
  return {
    by: "a browser",
    async open() {
      await page.goto(`${home.url}/lovelace-hairpin/hairpin`);
      await page.locator(`ha-sidebar [href="/${APP_SLUG}"]`).first().click();
      await frame.locator("h1").waitFor();
    },
    read,
    path: () => pathOf(home),
    async press() {
      await frame.locator("#heal").click();
      await frame.locator("#yes").click();
      const answer = frame.locator("#answer.good", { hasText: "The hub has" });
      await answer.waitFor();
      return (await answer.textContent()) ?? "";
    },
    async picture(file) {
      // The pointer leaves the sidebar, whose tooltip would stand in the picture.
      await page.setViewportSize(PICTURE);
      await page.mouse.move(PICTURE.width - 5, 5);
      await page.waitForTimeout(1_500);
      await page.screenshot({ path: file });
    },
    close: () => browser.close(),
  };
}

/** Without a browser: the requests that it would send, through Core with a session of its ingress. */
export async function pageOverHttp(home: HomeAssistant): Promise<AppPage> {
  let place = "";
  let cookie = "";
  const fetched = async (path = "", init: RequestInit = {}) => {
    const headers = { cookie, ...(init.headers as Record<string, string>) };
    const reply = await fetch(`${home.url}${place}${path}`, { ...init, headers, signal: AbortSignal.timeout(10_000) });
    const text = await reply.text();
    if (!reply.ok)
      throw new Error(`${reply.status} for ${init.method ?? "GET"} of the app's page: ${text.slice(0, 200)}`);
    return text;
  };
  return {
    by: "HTTP",
    async open() {
      const panels = await home.ask<Record<string, { title: string }>>({ type: "get_panels" });
      if (panels[APP_SLUG]?.title !== "Hairpin") throw new Error("the sidebar has no Hairpin");
      place = await pathOf(home);
      const command = { type: "supervisor/api", method: "post", endpoint: "/ingress/session" };
      cookie = `ingress_session=${(await home.ask<{ session: string }>(command)).session}`;
      await fetched();
    },
    read: () => fetched(),
    path: () => pathOf(home),
    async press() {
      const token = /data-page="([0-9a-f]{32})"/.exec(await fetched())?.[1] ?? "";
      const headers = { "content-type": "application/json", "hairpin-page": token, origin: home.url };
      return fetched("heal", { method: "POST", headers, body: "{}" });
    },
    picture: () => Promise.reject(new Error("a picture wants a browser")),
    close: () => Promise.resolve(),
  };
}
