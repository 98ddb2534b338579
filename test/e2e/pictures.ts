import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { HomeAssistant } from "./home-assistant/real.ts";

const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** Takes pictures of the real Home Assistant with a real browser. Throws where there is none. */
export async function photographer(home: HomeAssistant, folder: string) {
  const executablePath = CHROMIUM.find((path) => existsSync(path));
  if (executablePath === undefined) throw new Error("no browser here: apt install chromium");
  mkdirSync(folder, { recursive: true });
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
  const page = await context.newPage();
  const settle = () => page.waitForTimeout(2_500);
  const take = async (what: "bell" | "device" | "dashboard"): Promise<void> => {
    if (what === "device") {
      const devices = await home.ask<{ id: string; name: string }[]>({ type: "config/device_registry/list" });
      const device = devices.find(({ name }) => name === "Hairpin");
      await page.goto(`${home.url}/config/devices/device/${device?.id}`);
    } else await page.goto(`${home.url}/lovelace-hairpin/hairpin`);
    await page.waitForSelector("home-assistant", { state: "attached", timeout: 30_000 });
    await settle();
    if (what === "bell") {
      await page
        .locator("ha-sidebar .notifications, ha-sidebar [class*=notification]")
        .first()
        .click({ timeout: 15_000 });
      await settle();
    }
    await page.screenshot({ path: join(folder, `home-assistant-${what}.png`) });
  };
  return { take, close: () => browser.close() };
}
