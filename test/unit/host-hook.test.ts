import assert from "node:assert/strict";
import { test } from "node:test";
import { sign, verify } from "../../src/core/standard-webhooks.ts";
import { type HostHookDeps, hostApp } from "../../src/hooks/host.ts";
import { createHost } from "../../src/host/host.ts";
import { hmac } from "../../src/runtime/node/hmac.ts";
import { kernel, setup } from "../support/host-ports.ts";

async function started(check: HostHookDeps["verify"] = null, more = {}) {
  const { world, ports } = kernel();
  world.right();
  const host = createHost(setup(more), ports());
  await host.start();
  world.calls.length = 0;
  const app = hostApp({
    host: {
      submit: host.repairs.submit,
      find: host.repairs.find,
      facts: host.facts,
      heard: host.heard,
      resetBreaker: host.resetBreaker,
      pause: (forMillis, reason) => {
        const until = new Date(ports().clock.wall() + forMillis).toISOString();
        world.pauseText = JSON.stringify({ until, reason });
        return until;
      },
      resume: () => {
        world.pauseText = null;
      },
    },
    verify: check,
    log: () => {},
  });
  const post = (body: string, headers: Record<string, string> = {}) =>
    app.request("/v1/repairs", { method: "POST", body, headers: { "content-type": "application/json", ...headers } });
  return { world, host, app, post };
}
const good = { id: "a", step: "announce", epoch: 1, ttl_ms: 60_000 };

test("whatever is not exactly a request is a 422 with a path, and nothing is spawned or journalled", async () => {
  const { world, post } = await started();
  const bodies: [unknown, string][] = [
    [{ ...good, step: "rm" }, "/step"],
    [{ ...good, step: -1 }, "/step"],
    [{ ...good, step: null }, "/step"],
    [{ ...good, iface: "eth0" }, "/iface"],
    [{ ...good, cmd: "reboot" }, "/cmd"],
    [{ ...good, id: "../x" }, "/id"],
    [{ ...good, id: "a".repeat(65) }, "/id"],
    [{ ...good, ttl_ms: 0 }, "/ttl_ms"],
    [{ ...good, ttl_ms: 3_600_000 }, "/ttl_ms"],
    [{ ...good, epoch: -1 }, "/epoch"],
    [{ ...good, epoch: 1.5 }, "/epoch"],
    [{ ...good, link: "a; rm -rf" }, "/link"],
    [{ ...good, manual: "yes" }, "/manual"],
    [[], ""],
    [null, ""],
  ];
  for (const [body, path] of bodies) {
    const answer = await post(JSON.stringify(body));
    const problem = (await answer.json()) as { errors: { path: string }[] };
    assert.deepEqual(
      [answer.status, answer.headers.get("content-type"), problem.errors[0]?.path],
      [422, "application/problem+json", path],
      JSON.stringify(body),
    );
  }
  for (const text of [
    '{"id":"a","id":"b"}',
    '{"__proto__":{}}',
    "{",
    `{"id":"a","step":"announce","epoch":1e400,"ttl_ms":1}`,
    "[".repeat(10_000),
  ]) {
    assert.equal((await post(text)).status, 422, text.slice(0, 40));
  }
  assert.deepEqual(world.calls, []);
});

test("a form, a text and a body of 17 KiB are refused before they are read as JSON", async () => {
  const { world, post } = await started();
  assert.equal((await post(JSON.stringify(good), { "content-type": "text/plain" })).status, 415);
  assert.equal((await post("a=b", { "content-type": "application/x-www-form-urlencoded" })).status, 415);
  const large = JSON.stringify({ ...good, x: "y".repeat(17_000) });
  assert.equal((await post(large, { "content-length": String(large.length) })).status, 413);
  assert.deepEqual(world.calls, []);
});

test("an accepted repair is a 202, asked about by its id, and a 200 when it comes again", async () => {
  const { app, host, post } = await started();
  const first = await post(JSON.stringify(good));
  assert.deepEqual([first.status, ((await first.json()) as { state: string }).state], [202, "accepted"]);
  await host.repairs.settled();
  const again = await post(JSON.stringify(good));
  assert.deepEqual([again.status, ((await again.json()) as { state: string }).state], [200, "done"]);
  assert.equal((await app.request("/v1/repairs/a")).status, 200);
  assert.equal((await app.request("/v1/repairs/b")).status, 404);
});

test("a refusal is a problem that names it, with the status of its kind", async () => {
  const statusOf = async (more: object, request: object = good, pause: string | null = null) => {
    const { world, post } = await started(null, more);
    world.pauseText = pause;
    const answer = await post(JSON.stringify(request));
    const { refusal } = (await answer.json()) as { refusal: string };
    return [answer.status, refusal, answer.headers.has("retry-after")];
  };
  assert.deepEqual(await statusOf({ armed: false }), [409, "host_not_armed", false]);
  assert.deepEqual(await statusOf({ budgetHour: 0 }), [429, "budget", true]);
  assert.deepEqual(await statusOf({}, good, "{}"), [423, "maintenance", false]);
});

test("on an address every request wants the hub's signature; the answer is the same whatever is wrong", async () => {
  const key = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
  const other = `whsec_${Buffer.alloc(32, 8).toString("base64")}`;
  const now = 1_800_000_000;
  const { world, app, post } = await started((headers, body) => verify([key], headers, body, now, hmac));
  const body = JSON.stringify(good);
  const signed = async (secret: string, seconds: number, text: string) => ({
    ...(await sign([secret], "m1", seconds, text, hmac)),
  });
  const refused = [
    {},
    await signed(other, now, body),
    await signed(key, now - 301, body),
    await signed(key, now, `${body} `),
  ];
  const answers = await Promise.all(refused.map(async (headers) => await (await post(body, headers)).text()));
  assert.equal(new Set(answers).size, 1);
  assert.equal((await app.request("/v1/facts")).status, 401);
  assert.deepEqual(world.calls, []);
  assert.equal((await post(body, await signed(key, now, body))).status, 202);
  assert.equal((await app.request("/v1/facts", { headers: await signed(key, now, "") })).status, 200);
});

test("facts take a revision and a wait; anything else is a 422", async () => {
  const { app } = await started();
  assert.equal((await app.request("/v1/facts?after=0&wait_ms=10")).status, 200);
  for (const query of ["after=x", "wait_ms=-1", "after=1&cmd=ls", "link=a%20b"])
    assert.equal((await app.request(`/v1/facts?${query}`)).status, 422, query);
  assert.equal((await app.request("/v1/facts?link=other0")).status, 404);
});

test("a pause through the hook holds repairs, may be repeated, has an end, and ends by a resume", async () => {
  const { app, world, post } = await started();
  const send = (path: string, body: string | null, type = "application/json") =>
    app.request(path, { method: "POST", body, headers: body === null ? {} : { "content-type": type } });
  const first = await send("/v1/pause", '{"for":"30m","reason":"new switch"}');
  assert.deepEqual([first.status, await first.json()], [200, { state: "maintenance", until: pausedUntil(world) }]);
  assert.equal((await send("/v1/pause", '{"for":"30m","reason":"new switch"}')).status, 200);
  const refused = await post(JSON.stringify(good));
  assert.equal(refused.status, 423);
  assert.match(((await refused.json()) as { detail: string }).detail, /new switch/);
  for (const body of ['{"for":"25h"}', '{"for":"0s"}', '{"for":3600}', '{"until":"x"}', "[]"])
    assert.equal((await send("/v1/pause", body)).status, 422, body);
  assert.equal((await send("/v1/pause", "for=1h", "text/plain")).status, 415);
  assert.equal((await send("/v1/resume", null)).status, 200);
  assert.equal((await send("/v1/resume", "{}")).status, 200, "twice is the same");
  assert.equal(world.pauseText, null);
  assert.equal((await post(JSON.stringify({ ...good, id: "b" }))).status, 202);
  assert.equal((await send("/v1/pause", null)).status, 200, "an end without being asked for one");
  assert.ok(pausedUntil(world) !== null);
});

const pausedUntil = (world: { pauseText: string | null }) =>
  world.pauseText === null ? null : (JSON.parse(world.pauseText) as { until: string }).until;
