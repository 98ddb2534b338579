import assert from "node:assert/strict";
import { test } from "node:test";
import { appHouse, eventually, failLan } from "../support/app.ts";
import { secret } from "../support/hub.ts";
import { PREFIX, SUPERVISOR } from "../support/stand-in-supervisor.ts";

const pageOf = (html: string) => /data-page="([0-9a-f]{32})"/.exec(html)?.[1] ?? "";

test("the page is for the supervisor alone, says what the app and the hub see, and a press reaches the hub", {
  timeout: 90_000,
}, async () => {
  const { house, supervisor, startHub, startApp, ask, end } = await appHouse();
  try {
    const hub = await startHub();
    const app = await startApp();
    await failLan(house.port);
    const open = () => ask(SUPERVISOR, "GET", "/");
    const page = await eventually(open, ({ text }) => /no_reply/.test(text) && /The hub answers/.test(text));
    assert.equal(page.status, 200);
    assert.match(page.text, /core-mosquitto:1883/);
    assert.match(page.text, /traefik<\/h3>/);
    assert.doesNotMatch(page.text, /(href|src|action)="(?!data:)/, "nothing is linked, so nothing leaves the prefix");
    assert.equal(page.headers["x-frame-options"], "SAMEORIGIN");
    assert.equal(page.headers["cache-control"], "no-store");
    assert.match(String(page.headers["content-security-policy"]), /^default-src 'none'; script-src 'sha256-/);

    for (const [from, path] of [
      ["127.0.0.1", "/"],
      ["127.0.0.3", "/"],
      ["127.0.0.1", "/heal"],
      ["127.0.0.1", "//healthz"],
    ] as const)
      assert.equal((await ask(from, "GET", path, { "x-forwarded-for": SUPERVISOR })).status, 403, `${from} ${path}`);
    assert.equal((await ask("127.0.0.1", "GET", "/healthz")).status, 200, "the container's own health check");

    const origin = { host: "ha.example:8123", origin: "http://ha.example:8123" };
    const json = { "content-type": "application/json", "hairpin-page": pageOf(page.text) };
    const press = (headers: Record<string, string>, from = SUPERVISOR, body = "{}") =>
      ask(from, "POST", "/heal", headers, body);
    const refused: readonly (readonly [number, Record<string, string>, string?])[] = [
      [403, { ...json, ...origin }, "127.0.0.1"],
      [403, { ...json, host: "ha.example" }],
      [403, { ...json, ...origin, origin: "http://evil.example" }],
      [403, { ...json, ...origin, origin: "null" }],
      [403, { ...json, ...origin, "sec-fetch-site": "cross-site" }],
      [403, { ...json, ...origin, "sec-fetch-site": "same-site" }],
      [403, { ...json, ...origin, "hairpin-page": "0".repeat(32) }],
      [403, { "content-type": "application/json", ...origin }],
      [415, { ...json, ...origin, "content-type": "text/plain" }],
      [415, { ...json, ...origin, "content-type": "application/x-www-form-urlencoded" }],
    ];
    for (const [status, headers, from] of refused)
      assert.equal((await press(headers, from)).status, status, JSON.stringify([headers, from]));
    assert.equal((await press({ ...json, ...origin }, SUPERVISOR, `"${"x".repeat(2_000)}"`)).status, 413);
    assert.doesNotMatch(hub.output(), /a heal was asked for/);

    const pressed = await press({ ...json, ...origin });
    const answer = JSON.parse(pressed.text) as { status: number; id: string; state: string };
    assert.deepEqual([pressed.status, answer.status, answer.state], [200, 202, "accepted"], pressed.text);
    assert.match(answer.id, /^h-/);
    assert.match(hub.output(), /"by":"vantage vm","reason":"somebody pressed Heal now on the page in Home Assistant"/);

    const named = await fetch(supervisor.page);
    assert.equal(named.status, 200, `through ${PREFIX}`);
    const again = await fetch(`${supervisor.page}heal`, {
      method: "POST",
      headers: { ...json, origin: supervisor.url, "x-remote-user-display-name": "Mallory" },
      body: "{}",
    });
    assert.equal(again.status, 200);
    assert.match(hub.output(), /"reason":"Ada pressed/);
    const secrets = [secret("vm").slice(6), "supervisors-secret", "brokers-secret"];
    for (const text of [page.text, pressed.text, app.output()])
      for (const one of secrets) assert.ok(!text.includes(one), "no secret in page, answer or log");
    assert.equal(await app.end(), 0);
  } finally {
    await end();
  }
});

test("without heal: true the hub refuses, and the page's answer says what to write; a button that is off refuses by itself", {
  timeout: 90_000,
}, async () => {
  const { startHub, startApp, ask, end } = await appHouse({});
  try {
    const hub = await startHub();
    const app = await startApp();
    const open = () => ask(SUPERVISOR, "GET", "/");
    const page = await eventually(open, ({ text }) => /The hub answers/.test(text));
    const press = (token: string) =>
      ask(
        SUPERVISOR,
        "POST",
        "/heal",
        { "content-type": "application/json", "hairpin-page": token, "sec-fetch-site": "same-origin" },
        "{}",
      );
    const answer = JSON.parse((await press(pageOf(page.text))).text) as {
      status: number;
      state: string;
      detail: string;
    };
    assert.deepEqual([answer.status, answer.state], [403, "not_allowed"]);
    assert.match(answer.detail, /vm: \{ …, heal: true \}/);
    assert.doesNotMatch(hub.output(), /a heal was asked for/);
    await app.end();
    await startApp({ heal_button: false });
    const without = await eventually(open, ({ text }) => /The hub answers/.test(text));
    assert.doesNotMatch(without.text, /id="heal"/);
    assert.equal((await press(pageOf(without.text))).status, 403);
    assert.equal(JSON.parse((await press(pageOf(page.text))).text).state, "stale_page");
  } finally {
    await end();
  }
});

test("a hub that is gone is told to Home Assistant once, over refusals and a restart of the app, and taken back when it returns", {
  timeout: 90_000,
}, async () => {
  const { supervisor, startHub, startApp, end } = await appHouse();
  try {
    const patient = { HAIRPIN_HUB_GONE_S: "3" };
    const hub = await startHub();
    const app = await startApp({}, patient);
    await eventually(
      async () => app.output(),
      (text) => text.includes('"event":"delivered"'),
    );
    supervisor.refuse(1);
    await hub.end();
    const told = () => supervisor.calls.filter((call) => call.path.endsWith("/create"));
    await supervisor.until(() => supervisor.notifications.size === 1);
    assert.deepEqual([...supervisor.notifications.keys()], ["hairpin_hub_home"]);
    assert.match(
      [...supervisor.notifications.values()][0]!,
      /the hub is gone\nThe hub at http:\/\/127\.0\.0\.1:\d+ has/,
    );
    assert.equal(told().length, 2, "one was refused");
    await app.end();
    const second = await startApp({}, patient);
    await eventually(
      async () => second.output(),
      (text) => text.includes('"event":"spooled"'),
    );
    await startHub();
    await supervisor.until(() => supervisor.notifications.size === 0);
    assert.equal(told().length, 2, "not told again");
    assert.equal(supervisor.calls.filter((call) => call.path.endsWith("/dismiss")).length, 1);
  } finally {
    await end();
  }
});

test("a page that cannot be served is said, and the watching goes on", { timeout: 60_000 }, async () => {
  const { startHub, startApp, port, end } = await appHouse();
  const { createServer } = await import("node:net");
  const taken = createServer().listen(port, "127.0.0.1");
  try {
    await startHub();
    const app = await startApp();
    await eventually(
      async () => app.output(),
      (text) => text.includes("the page cannot be served") && text.includes('"event":"delivered"'),
    );
  } finally {
    taken.close();
    await end();
  }
});
