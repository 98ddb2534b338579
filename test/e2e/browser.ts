import type { Browser, Page } from "playwright-core";
import { chromiumPath } from "../support/chromium.ts";
import type { HomeAssistant } from "./home-assistant/real.ts";

/** A page of a real browser in which somebody has logged in to this Home Assistant. Throws where there is no browser. */
export async function logIn(home: HomeAssistant): Promise<{ readonly browser: Browser; readonly page: Page }> {
  const executablePath = chromiumPath();
  if (executablePath === undefined) throw new Error("no browser here: apt install chromium");
  const { chromium } = await import("playwright-core");
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
  const context = await browser.newContext({ viewport: { width: 1_100, height: 720 } });
  // What Home Assistant's own page stores after a login.
  const session = {
    access_token: home.token,
    token_type: "Bearer",
    expires_in: 1_800,
    hassUrl: home.url,
    clientId: `${home.url}/`,
    expires: Date.now() + 86_400_000,
    refresh_token: "",
  };
  await context.addInitScript((text) => localStorage.setItem("hassTokens", text), JSON.stringify(session));
  return { browser, page: await context.newPage() };
}
