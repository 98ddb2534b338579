import assert from "node:assert/strict";
import { test } from "node:test";
import { chromium, type Page } from "playwright-core";
import { appHouse, eventually, failLan } from "../support/app.ts";
import { chromiumPath } from "../support/chromium.ts";
import { PREFIX, SUPERVISOR } from "../support/stand-in-supervisor.ts";

const CHROMIUM = chromiumPath();

/** What the page complains about: a refused script or style, a request that leaves its path. */
function watch(page: Page): { readonly complaints: string[]; readonly paths: Set<string> } {
  const complaints: string[] = [];
  const paths = new Set<string>();
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("request", (request) => paths.add(new URL(request.url()).pathname));
  return { complaints, paths };
}

test("in a browser, framed by Home Assistant under its ingress path: Heal now asks first, and says what the hub has answered", {
  timeout: 120_000,
  skip: CHROMIUM === undefined ? "no browser here: apt install chromium" : false,
}, async () => {
  const { house, supervisor, startHub, startApp, ask, end } = await appHouse();
  const browser = await chromium.launch({
    executablePath: CHROMIUM!,
    args: ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--no-first-run"],
  });
  try {
    const hub = await startHub();
    await startApp();
    await failLan(house.port);
    await eventually(
      () => ask(SUPERVISOR, "GET", "/"),
      ({ text }) => /no_reply/.test(text) && /The hub answers/.test(text) && /<b>failing<\/b>/.test(text),
    );
    const page = await browser.newPage({ viewport: { width: 980, height: 1_180 }, colorScheme: "light" });
    const { complaints, paths } = watch(page);
    await page.goto(`${supervisor.url}/panel`);
    const frame = page.frameLocator("iframe");
    await frame.locator("h1", { hasText: "failing" }).waitFor();

    await frame.locator("#heal").click();
    await frame.locator("#no").click();
    assert.equal(await frame.locator("#answer").isVisible(), false, "a question that was declined asks nobody");
    assert.doesNotMatch(hub.output(), /a heal was asked for/);
    await frame.locator("#heal").click();
    await frame.locator("#yes").click();
    await frame.locator("#answer.good", { hasText: "The hub has accepted the repair (h-" }).waitFor();
    assert.match(hub.output(), /"by":"vantage vm","reason":"Ada pressed Heal now/);

    await hub.end();
    await frame.locator("p", { hasText: "The hub does not answer." }).waitFor({ timeout: 30_000 });
    assert.equal(await frame.locator("#heal").isDisabled(), true);

    const phone = await browser.newPage({ viewport: { width: 360, height: 740 }, colorScheme: "dark" });
    await phone.goto(supervisor.page);
    const wide = await phone.evaluate("document.documentElement.scrollWidth");
    assert.ok(Number(wide) <= 360, `${wide} px wide on a phone`);
    const ground = await phone.evaluate("getComputedStyle(document.body).backgroundColor");
    assert.equal(ground, "rgb(19, 20, 22)");

    assert.deepEqual(complaints, []);
    paths.delete("/panel");
    assert.deepEqual(
      [...paths].filter((path) => !path.startsWith(`${PREFIX}/`)),
      [],
      "every request stays under the path",
    );
  } finally {
    await browser.close();
    await end();
  }
});
