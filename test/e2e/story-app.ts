import type { HealRecord } from "../../src/core/heal-record.ts";
import { chromiumPath } from "../support/chromium.ts";
import { type AppPage, pageInBrowser, pageOverHttp } from "./app-page.ts";
import { APP_ADDRESS, APP_SLUG } from "./home-assistant/supervisor-facts.ts";
import { askHub } from "./house.ts";
import { noAlert, type Stage } from "./stage.ts";
import { type Steps, until } from "./steps.ts";

/**
 * In a browser, where there is one and the frontend can show an app: that of 2025 loads a script for it which comes in the
 * Supervisor's image, and a stand-in has none.
 */
async function pageOf({ home }: Stage): Promise<AppPage> {
  const panels = await home.ask<Record<string, { component_name: string }>>({ type: "get_panels" });
  const isWhole = panels[APP_SLUG]?.component_name === "app";
  return isWhole && chromiumPath() !== undefined ? pageInBrowser(home) : pageOverHttp(home);
}

const shows = (page: AppPage, ...wanted: readonly RegExp[]) =>
  until(
    `${wanted.join(" and ")} on the page`,
    async () => {
      const text = await page.read();
      return wanted.every((part) => part.test(text));
    },
    90_000,
    () => page.read(),
  );

/** In a green house: what it says, and who is turned away. */
export async function pageOpens(stage: Stage): Promise<string> {
  const page = await pageOf(stage);
  try {
    await page.open();
    await shows(page, /The hub answers/, /What is checked is good from here/);
  } finally {
    await page.close();
  }
  const straight = await fetch(`http://${APP_ADDRESS}:8099/`);
  if (straight.status !== 403) throw new Error(`past the Supervisor the app answers ${straight.status}`);
  const stranger = await fetch(`${stage.home.url}${await page.path()}`);
  if (stranger.status !== 401) throw new Error(`without a session Home Assistant answers ${stranger.status}`);
  return `by ${page.by}`;
}

/** During an incident: what it says, and a repair that begins there. */
export async function healFromPage(stage: Stage, steps: Steps): Promise<void> {
  const { pid, home, seen } = stage;
  const before = seen.length;
  const page = await pageOf(stage);
  try {
    await steps.step("the app's page says what this machine sees, and what the hub makes of it", async () => {
      await page.open();
      await shows(page, /no_neighbour/, /not_announced/);
      if (stage.pagePicture !== null && page.by === "a browser") await page.picture(stage.pagePicture);
    });
    await steps.step("Heal now on the page is relayed to the hub, which knows who pressed, and proved", async () => {
      const said = await page.press();
      const id = /\bh-[0-9a-z]+/.exec(said)?.[0];
      if (id === undefined) throw new Error(`the page says: ${said.slice(0, 300)}`);
      const look = () => askHub<HealRecord>(pid, "GET", `/v1/heals/${id}`);
      const heal = await until("proof", () => look().then((now) => now.state === "verified" && now), 120_000, look);
      const by = `${heal.by}: ${heal.reason}`;
      if (by !== "vantage ha-vm: Owner pressed Heal now on the page in Home Assistant") throw new Error(by);
      if (heal.verification["ha-vm"] !== "good") throw new Error(JSON.stringify(heal.verification));
      return by;
    });
    await steps.step("recovered is told, the page is green, and the bell is cleared", async () => {
      const told = () => seen.slice(before).map(({ event }) => event);
      await until("recovered", () => told().includes("recovered"), 120_000, told);
      await shows(page, /What is checked is good from here/);
      await noAlert(home);
    });
  } finally {
    await page.close();
  }
}
