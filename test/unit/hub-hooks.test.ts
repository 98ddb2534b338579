import assert from "node:assert/strict";
import { test } from "node:test";
import type { SqlPort } from "../../src/engine/store.ts";
import { StoreError } from "../../src/engine/store.ts";
import { openSqlite } from "../../src/runtime/node/store-sqlite.ts";
import { harness, houseOf, round, secret, TOKEN } from "../support/hub.ts";

/** Overwrites one header of a signed request. */
const forged = (name: string, value: (before: string) => string) => (headers: Record<string, string>) => {
  headers[name] = value(headers[name] ?? "");
};

const json = async (response: Response) =>
  (await response.json()) as Record<string, never> & { errors?: { path: string }[] };

/** A hub whose host has been heard and whose grace is nobody's business: manual heals skip it. */
async function started(options: Parameters<typeof harness>[0] = {}) {
  const made = harness(options);
  made.hub.start();
  await made.hand.pass(100);
  return made;
}

/** The same with the address failing at both vantages, so that a heal has something to do. */
async function failing() {
  const made = await started();
  for (let seq = 1; seq <= 5; seq++) {
    for (const vantage of ["lan", "vm"])
      assert.equal((await made.report(vantage, made.observation(vantage, seq, round(false)))).status, 202);
    await made.hand.pass(1_000);
  }
  return made;
}

test("POST /heal is refused without a token, by GET, as a form, as text, from another origin and under another Host", async () => {
  const { app, post, heal, host } = await failing();
  assert.equal((await post("/heal", null)).status, 401);
  const get = await app.request("/heal", {}, {});
  assert.equal(get.status, 405);
  assert.equal(get.headers.get("allow"), "POST");
  for (const type of ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"]) {
    assert.equal((await heal("step=announce", { "content-type": type })).status, 415, type);
    assert.equal(
      (await post("/heal", "step=announce", { "content-type": type })).status,
      415,
      `${type} without a token`,
    );
  }
  assert.equal((await heal("{}", { origin: "http://evil.example" })).status, 403);
  assert.equal((await heal("{}", { origin: "null" })).status, 403);
  assert.equal((await heal("{}", { "sec-fetch-site": "cross-site" })).status, 403);
  assert.equal((await heal("{}", {}, { hosts: ["evil.example"] })).status, 421);
  assert.equal((await heal("{}", {}, { hosts: [] })).status, 400);
  assert.equal((await heal("{}", {}, { hosts: ["127.0.0.1:8787", "127.0.0.1:8787"] })).status, 400);
  assert.deepEqual(host.asked, [], "nothing ran");
});

test("a body of /heal with an unknown step or a further key is a 422 with its path, and nothing runs", async () => {
  const { heal, host } = await failing();
  for (const [body, path] of [
    ['{"step":"rm"}', "/step"],
    ['{"step":-1}', "/step"],
    ['{"step":null}', "/step"],
    ['{"iface":"eth0"}', "/iface"],
    ['{"cmd":"rm -rf /"}', "/cmd"],
    ['{"target":"nope"}', "/target"],
    ["[]", ""],
  ] as const) {
    const response = await heal(body);
    assert.equal(response.status, 422, body);
    assert.equal(response.headers.get("content-type"), "application/problem+json");
    assert.equal((await json(response)).errors?.[0]?.path, path, body);
  }
  assert.deepEqual(host.asked, []);
});

test("a hundred parallel presses with one key start one heal and get the same answer", async () => {
  const { heal, host } = await failing();
  const answers = await Promise.all(Array.from({ length: 100 }, () => heal("{}", { "idempotency-key": "press-1" })));
  const bodies = new Set(await Promise.all(answers.map((answer) => answer.text())));
  assert.deepEqual(new Set(answers.map((answer) => answer.status)), new Set([202]));
  assert.equal(bodies.size, 1);
  assert.equal(host.asked.length, 1);
  assert.equal(
    (await heal('{"step":"announce"}', { "idempotency-key": "press-1" })).status,
    409,
    "the same key with another body",
  );
});

test("a hundred parallel presses with a key each start one heal", async () => {
  const { heal, host } = await failing();
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, index) => heal("{}", { "idempotency-key": `press-${index}` })),
  );
  const count = (status: number) => answers.filter((answer) => answer.status === status).length;
  assert.equal(count(202), 1);
  assert.equal(count(409) + count(429), 99);
  assert.equal(host.asked.length, 1);
});

test("a heal is followed by its id from the request to the report", async () => {
  const { app, heal, host, hand } = await failing();
  const { id, url } = (await json(await heal('{"step":"announce","reason":"by hand"}'))) as unknown as {
    id: string;
    url: string;
  };
  await hand.pass(50);
  host.reports.set(id, {
    ...host.reports.get(id)!,
    state: "done",
    ms: 120,
    commands: [{ argv: ["arping"], ms: 100, exit: 0, output: "" }],
  });
  await hand.pass(1_100);
  const record = (await json(await app.request(url, {}, {}))) as unknown as {
    state: string;
    by: string;
    reason: string;
    steps: { commands: unknown[] }[];
  };
  assert.equal(record.state, "verifying");
  assert.equal(record.by, "operator");
  assert.equal(record.reason, "by hand");
  assert.equal(record.steps[0]?.commands.length, 1);
  assert.equal((await app.request("/v1/heals/h-unknown", {}, {})).status, 404);
});

test("tokens are held to their scopes and their networks, and a wrong one looks like none", async () => {
  const { post, heal } = await started({ from: ["10.0.0.0/8"] });
  const none = await post("/heal", null);
  const wrong = await post("/heal", null, { authorization: "Bearer something-else-entirely" });
  const elsewhere = await heal(null);
  assert.deepEqual([none.status, wrong.status, elsewhere.status], [401, 401, 401]);
  assert.equal(await wrong.text(), await none.text());
  assert.ok((await heal(null, {}, { address: "10.1.2.3" })).status < 300);
  assert.equal((await post("/heal", null, { authorization: "Bearer a-token-that-only-reads" })).status, 403);
});

test("a unix socket has every scope by its file mode, but not every Host", async () => {
  const { post } = await started();
  assert.notEqual(
    (await post("/v1/pause", "{}", { "content-type": "application/json" }, { unix: true, address: null })).status,
    401,
  );
  assert.equal(
    (await post("/v1/pause", "{}", { "content-type": "application/json" }, { unix: true, hosts: ["evil.example"] }))
      .status,
    421,
  );
});

test("an observation without a good signature is a 401 that does not say why", async () => {
  const { post, report, observation, hand, lines } = await started();
  const body = observation("lan", 1);
  const now = Math.floor(hand.clock.wall() / 1_000);
  const refused = [
    await post("/v1/observations", body, { "content-type": "application/json" }),
    await report("lan", body, { tamper: forged("webhook-signature", () => `v1,${"A".repeat(43)}=`) }),
    await report("lan", body, {
      tamper: forged("webhook-signature", (before) => before.slice(0, 20)),
    }),
    await report("lan", body, { tamper: forged("webhook-signature", () => "garbage ,,, v1, v2,x") }),
    await report("lan", body, { tamper: forged("webhook-timestamp", () => `${now}abc`) }),
    await report("lan", body, { seconds: now - 301 }),
    await report("lan", body, { seconds: now + 302 }),
    await report("lan", body, { key: secret("vm") }),
    await report("lan", body, { key: secret("another purpose") }),
    await report("nobody", observation("nobody", 1)),
  ];
  assert.deepEqual(new Set(refused.map((response) => response.status)), new Set([401]));
  assert.equal(new Set(await Promise.all(refused.map((response) => response.text()))).size, 1);
  assert.ok(
    lines.filter((line) => line.message === "refused an observation").length === refused.length,
    "the log has each reason",
  );
  assert.equal((await report("lan", body, { seconds: now - 299 })).status, 202);
});

test("of two signatures the second may be the valid one", async () => {
  const { report, observation } = await started();
  const response = await report("lan", observation("lan", 1), {
    tamper: forged("webhook-signature", (before) => `v1,${"A".repeat(43)}= ${before}`),
  });
  assert.equal(response.status, 202);
});

test("an exact replay is a 200 without effect, the same id with another body a 409, an old sequence a 409", async () => {
  const { report, observation, hub, sql } = await started();
  const body = observation("lan", 5);
  assert.equal((await report("lan", body)).status, 202);
  const before = JSON.stringify(hub.status());
  const again = await report("lan", body);
  assert.equal(again.status, 200);
  assert.equal((await json(again))["duplicate"], true);
  assert.equal(JSON.stringify(hub.status()), before);
  assert.equal(sql.all("SELECT count(*) AS n FROM observations")[0]?.["n"], 1);
  assert.equal((await report("lan", observation("lan", 5, round(true)))).status, 409, "same id, other body");
  assert.equal((await report("lan", observation("lan", 4))).status, 409, "seq 4 after 5");
  assert.equal(
    (await report("lan", observation("lan", 5), { id: "another" })).status,
    409,
    "seq 5 again under another id",
  );
  assert.equal(
    (await report("lan", observation("lan", 1, { boot_id: "boot2" }))).status,
    202,
    "a new start counts from one",
  );
  assert.equal((await report("lan", observation("lan", 6))).status, 409, "the start before is over");
});

test("an observation of another vantage or for another site is refused although it is signed", async () => {
  const { report, observation } = await started();
  const foreign = observation("vm", 1).replace("{", '{"x":{"vantage":"lan"},');
  assert.ok([401, 403, 422].includes((await report("lan", foreign)).status));
  assert.equal((await report("lan", observation("lan", 1, { aud: "elsewhere" }))).status, 403);
  assert.equal((await report("lan", observation("lan", 1, { type: "hairpin.observation.v9" }))).status, 422);
});

test("a body beyond 256 KiB is a 413, declared or not, and is not read to its end", async () => {
  const { post } = await started();
  const headers = { "content-type": "application/json" };
  assert.equal((await post("/v1/observations", "x".repeat(10 * 1_048_576), headers)).status, 413);
  assert.equal((await post("/v1/observations", "{}", { ...headers, "content-length": "1000000000" })).status, 413);
  let pulled = 0;
  const endless = new ReadableStream({
    pull(controller) {
      pulled++;
      controller.enqueue(new Uint8Array(65_536));
    },
  });
  assert.equal((await post("/v1/observations", endless, headers)).status, 413);
  assert.ok(pulled < 20, `${pulled} chunks were read`);
});

test("deep, doubled, prototype and boundless JSON is a 422 with a path", async () => {
  const { heal } = await started();
  for (const [body, path] of [
    ["[".repeat(100_000), "/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0"],
    ['{"step":"announce","step":"announce"}', "/step"],
    ['{"__proto__":{"force":true}}', "/__proto__"],
    ['{"\\u005f_proto__":1}', "/__proto__"],
    ['{"reason":1e400}', "/reason"],
    ['{"reason":"x"', ""],
    ['{"reason":"\\ud800"}', "/reason"],
    ["not json", ""],
  ] as const) {
    const response = await heal(body);
    assert.equal(response.status, 422, body.slice(0, 40));
    assert.equal((await json(response)).errors?.[0]?.path, path, body.slice(0, 40));
  }
});

test("a disk that takes no writes is a 503 and never a 202, and the hub recovers with it", async () => {
  const real = openSqlite(":memory:");
  let full = false;
  const sql: SqlPort = {
    ...real,
    transaction: (work) => {
      if (full) throw new StoreError("database or disk is full");
      return real.transaction(work);
    },
  };
  const { report, observation, app, post } = await started({ sql });
  full = true;
  assert.equal((await report("lan", observation("lan", 1))).status, 503);
  assert.equal((await app.request("/readyz", {}, {})).status, 503);
  assert.equal((await app.request("/healthz", {}, {})).status, 200);
  assert.equal(
    (await post("/v1/pause", "{}", { "content-type": "application/json", authorization: `Bearer ${TOKEN}` })).status,
    503,
  );
  full = false;
  assert.equal((await report("lan", observation("lan", 1))).status, 202);
  assert.equal((await app.request("/readyz", {}, {})).status, 200);
});

test("the plan is given to who signs for it, with an ETag, and hurries a vantage that waits", async () => {
  const { app, hand, report, observation } = await started();
  const { sign } = await import("../../src/core/standard-webhooks.ts");
  const { hmac } = await import("../../src/runtime/node/hmac.ts");
  const signed = async () => ({
    ...(await sign([secret("vm")], "p1", Math.floor(hand.clock.wall() / 1_000), "", hmac)),
  });
  assert.equal((await app.request("/v1/plan", {}, {})).status, 401);
  const first = await app.request("/v1/plan", { headers: await signed() }, {});
  assert.equal(first.status, 200);
  assert.equal(((await first.json()) as { vantage: string }).vantage, "vm");
  const etag = first.headers.get("etag")!;
  const wanted = await app.request("/v1/plan", { headers: { ...(await signed()), "if-none-match": etag } }, {});
  assert.equal(wanted.status, 304);
  assert.equal(wanted.headers.get("hairpin-rounds"), "4", "the hub has just started and wants fresh rounds");
  const waiting = app.request(
    "/v1/plan?wait_ms=25000",
    { headers: { ...(await signed()), "if-none-match": etag } },
    {},
  );
  await hand.pass(1_000);
  await report("lan", observation("lan", 1, round(true)));
  await report("lan", observation("lan", 2, round(false)));
  const hurried = await waiting;
  assert.equal(hurried.status, 304);
  assert.equal(hurried.headers.get("hairpin-rounds"), "3", "a first failed sample wants rounds from everyone");
  const calm = app.request("/v1/plan?wait_ms=2000", { headers: { ...(await signed()), "if-none-match": etag } }, {});
  await hand.pass(3_000);
  assert.equal((await calm).status, 304);
});

test("every error is problem+json, and unknown paths are told from wrong methods", async () => {
  const { app, post } = await started();
  for (const [response, status] of [
    [await app.request("/nope", {}, {}), 404],
    [await post("/v1/status", null), 405],
    [await app.request("/v1/acks", {}, {}), 405],
    [await app.request("/v1/events?after=x", {}, {}), 422],
  ] as const) {
    assert.equal(response.status, status);
    assert.equal(response.headers.get("content-type"), "application/problem+json");
    const body = await json(response);
    for (const key of ["type", "title", "status", "detail"]) assert.ok(key in body, key);
  }
});

test("the page escapes what comes from the network and allows no script but its own", async () => {
  const { app, report, observation, hand } = await started();
  const nasty = "\u001b[31m</td><script>alert(1)</script>\u202e\r\n";
  for (let seq = 1; seq <= 5; seq++) {
    const checks = round(false).checks.map((check) => ({ ...check, detail: nasty }));
    for (const vantage of ["lan", "vm"]) await report(vantage, observation(vantage, seq, { checks }));
    await hand.pass(1_000);
  }
  const response = await app.request("/", {}, {});
  const text = await response.text();
  assert.equal(response.status, 200);
  assert.ok(text.includes(">failing</h1>"), text.slice(0, 200));
  assert.equal(text.split("<script").length, 2);
  assert.ok(!text.includes("\u202e") && !text.includes("\u001b"));
  assert.match(
    response.headers.get("content-security-policy") ?? "",
    /default-src 'none'; script-src 'sha256-[A-Za-z0-9+/=]{44}'/,
  );
});

test("the OpenAPI document describes every route that answers", async () => {
  const { app } = await started();
  const document = (await (await app.request("/openapi.json", {}, {})).json()) as {
    openapi: string;
    paths: Record<string, object>;
  };
  assert.equal(document.openapi, "3.1.0");
  for (const path of [
    "/heal",
    "/v1/observations",
    "/v1/plan",
    "/v1/status",
    "/v1/events",
    "/v1/acks",
    "/metrics",
    "/readyz",
  ])
    assert.ok(document.paths[path], path);
});

test("a private hub is read with the scope read alone", async () => {
  const { app } = await started({ house: houseOf({ hub: { listen: "127.0.0.1:8787", private: true } }) });
  for (const path of ["/", "/v1/status", "/v1/events", "/metrics", "/v1/deliveries"])
    assert.equal((await app.request(path, {}, {})).status, 401, path);
  assert.equal(
    (await app.request("/v1/status", { headers: { authorization: "Bearer a-token-that-only-reads" } }, {})).status,
    200,
  );
  assert.equal((await app.request("/healthz", {}, {})).status, 200);
});

test("one caller cannot keep the hub busy: beyond its rate it is told when to come back", async () => {
  const { heal } = await started();
  const answers = await Promise.all(Array.from({ length: 260 }, () => heal("{}")));
  const late = answers.filter((answer) => answer.status === 429);
  assert.ok(late.length >= 10, `${late.length}`);
  assert.match(late[0]!.headers.get("retry-after") ?? "", /^\d+$/);
});

test("a house without targets and vantages runs, heals nothing and says so", async () => {
  const { heal, app } = await started({
    house: houseOf({ targets: {}, vantages: {}, link: undefined, host: undefined } as never),
  });
  const answer = await heal("{}");
  assert.equal(answer.status, 200);
  assert.equal((await json(answer))["state"], "nothing_to_do");
  const ready = (await json(await app.request("/readyz", {}, {}))) as unknown as { problems: string[] };
  assert.ok(ready.problems.some((problem) => /no targets/.test(problem)));
});
