import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { logIn } from "./browser.ts";
import type { HomeAssistant } from "./home-assistant/real.ts";

/** Takes pictures of the real Home Assistant with a real browser. Throws where there is none. */
export async function photographer(home: HomeAssistant, folder: string) {
  const { browser, page } = await logIn(home);
  mkdirSync(folder, { recursive: true });
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
