import assert from "node:assert/strict";
import { Webhook } from "standardwebhooks";
import { EDGE_BODY_MAX } from "../../src/core/edge/wire.ts";
import type { Case } from "./case.ts";
import { ask, CALM, House, newId, newKey, nowSeconds } from "./driver.ts";
import { ADMIN } from "./edges.ts";

/** Signatures, replays, bodies, and what outlives an object. */
export const HEARTBEATS: readonly Case[] = [
  {
    name: "a signed heartbeat is taken with 202, and its status is mirrored",
    async run(edge) {
      const house = await new House(edge).add();
      assert.equal((await house.ask("GET", "/status")).json["state"], "waiting");
      const reply = await house.beat();
      assert.equal(reply.status, 202, reply.text);
      assert.equal(reply.json["site"], house.site);
      assert.equal(reply.json["duplicate"], false);
      assert.deepEqual([reply.json["observations"], reply.json["heals"]], [[], []]);
      const status = (await house.ask("GET", "/status")).json;
      assert.equal(status["state"], "ok");
      assert.deepEqual(status["house"], CALM);
      assert.equal(status["silence_ms"], 180_000);
    },
  },
  {
    name: "what the reference library signs is taken",
    async run(edge) {
      const house = await new House(edge).add();
      const body = JSON.stringify(house.body());
      const id = newId();
      const seconds = nowSeconds();
      const headers = {
        "content-type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": String(seconds),
        "webhook-signature": new Webhook(house.key).sign(id, new Date(seconds * 1_000), body),
      };
      const reply = await fetch(`${edge.url}/v1/sites/${house.site}/heartbeats`, { method: "POST", headers, body });
      assert.equal(reply.status, 202);
    },
  },
  {
    name: "a wrong key, another site's key, an unknown site and a removed one are answered with the same 401",
    async run(edge) {
      const house = await new House(edge).add();
      const other = await new House(edge).add();
      const removed = await new House(edge).add();
      await removed.ask("DELETE", "", ADMIN);
      const replies = [
        await house.beat(house.body(), { key: newKey() }),
        await house.beat(house.body(), { key: other.key }),
        await new House(edge).beat(),
        await removed.beat(),
      ];
      for (const reply of replies) {
        assert.equal(reply.status, 401);
        assert.equal(reply.text, replies[0]!.text);
        assert.equal(reply.headers.get("www-authenticate"), 'Bearer realm="hairpin"');
      }
      assert.equal((await house.ask("GET", "/status")).json["state"], "waiting");
      assert.equal(await edge.rows(house.site), 1);
    },
  },
  {
    name: "asking for sites that are not there leaves nothing behind",
    async run(edge) {
      const nobody = new House(edge);
      await nobody.beat();
      await nobody.ask("GET", "/status");
      await nobody.heal({});
      assert.equal(await edge.rows(nobody.site), 0);
      const { json } = await ask(edge, "GET", `/v1/sites?q=${nobody.site}`);
      assert.equal(json["total"], 0);
    },
  },
  {
    name: "a clock may be 299 s away and not 301 s, either way",
    async run(edge) {
      const house = await new House(edge).add();
      for (const [offset, status] of [
        [-299, 202],
        [299, 202],
        [-302, 401],
        [302, 401],
      ] as const)
        assert.equal(
          (await house.beat(house.body(), { seconds: nowSeconds() + offset })).status,
          status,
          `${offset} s`,
        );
    },
  },
  {
    name: "an unsigned, half-signed or misshapen heartbeat is a 401 before anything is read of it",
    async run(edge) {
      const house = await new House(edge).add();
      const bad: readonly Record<string, string>[] = [
        { "webhook-signature": "" },
        { "webhook-signature": "v1," },
        { "webhook-signature": `v1a,${"A".repeat(43)}=` },
        { "webhook-id": "a.b" },
        { "webhook-id": "x".repeat(65) },
        { "webhook-timestamp": `${nowSeconds()}abc` },
        { "webhook-timestamp": "" },
        { "webhook-timestamp": `-${nowSeconds()}` },
      ];
      for (const headers of bad)
        assert.equal((await house.beat("{not json", { headers })).status, 401, JSON.stringify(headers));
    },
  },
  {
    name: "a key is changed without a gap: new and old, then the new one alone",
    async run(edge) {
      const house = await new House(edge).add();
      const old = house.key;
      const fresh = newKey();
      await house.beat();
      await house.put({ keys: [fresh, old] });
      assert.equal((await house.beat(house.body(), { key: old })).status, 202);
      assert.equal((await house.beat(house.body(), { key: fresh })).status, 202);
      assert.equal((await house.beat(house.body(), { keys: [newKey(), fresh] })).status, 202);
      await house.put({ keys: [fresh] });
      assert.equal((await house.beat(house.body(), { key: old })).status, 401);
      assert.equal((await house.beat(house.body(), { key: fresh })).status, 202);
    },
  },
  {
    name: "the same heartbeat again is a 200, also signed anew; another body for its id or its seq is a 409",
    async run(edge) {
      const house = await new House(edge).add();
      const body = house.body();
      const id = newId();
      assert.equal((await house.beat(body, { id })).status, 202);
      const again = await house.beat(body, { id, seconds: nowSeconds() - 5 });
      assert.equal(again.status, 200);
      assert.equal(again.json["duplicate"], true);
      assert.equal((await house.beat(house.body(), { id })).status, 409);
      assert.equal((await house.beat({ ...body, every_ms: 31_000 })).status, 409);
      assert.equal((await house.ask("GET", "/status")).json["every_ms"], 30_000);
    },
  },
  {
    name: "what was recorded cannot be played again: an older seq, an earlier boot of the hub",
    async run(edge) {
      const house = await new House(edge).add();
      const first = house.body();
      await house.beat(first);
      await house.beat();
      assert.equal((await house.beat(first)).status, 409);
      house.boot = newId();
      assert.equal((await house.beat()).status, 202);
      assert.equal((await house.beat({ ...first, seq: 99 })).status, 409);
      const seen = (await house.ask("GET", "/status")).json["last_seen"];
      assert.equal((await house.beat(first)).status, 409);
      assert.equal((await house.ask("GET", "/status")).json["last_seen"], seen);
    },
  },
  {
    name: "of heartbeats that come at once each is taken once",
    async run(edge) {
      const house = await new House(edge).add();
      const body = house.body();
      const id = newId();
      const replies = await Promise.all(Array.from({ length: 8 }, () => house.beat(body, { id })));
      const statuses = replies.map(({ status }) => status).sort();
      assert.deepEqual(statuses, [200, 200, 200, 200, 200, 200, 200, 202]);
    },
  },
  {
    name: "a heartbeat signed by the right key for another site is a 403",
    async run(edge) {
      const house = await new House(edge).add();
      assert.equal((await house.beat({ ...house.body(), site: "elsewhere" })).status, 403);
    },
  },
  {
    name: "a body that is too large, of another type, compressed or no JSON is 413, 415, 415, 422",
    async run(edge) {
      const house = await new House(edge).add();
      const large = { ...house.body(), padding: "x".repeat(EDGE_BODY_MAX) };
      assert.equal((await house.beat(large)).status, 413);
      assert.equal((await house.beat(house.body(), { headers: { "content-type": "text/plain" } })).status, 415);
      assert.equal((await house.beat(house.body(), { headers: { "content-encoding": "gzip" } })).status, 415);
      for (const text of ["{", '{"a":1,"a":2}', '{"__proto__":{}}', "null", "", `${"[".repeat(64)}${"]".repeat(64)}`])
        assert.equal((await house.beat(text)).status, 422, text);
      assert.equal((await house.ask("GET", "/status")).json["state"], "waiting");
    },
  },
  {
    name: "every mistake of a heartbeat is named with its path; what a newer hub says besides is dropped",
    async run(edge) {
      const house = await new House(edge).add();
      const bad = { ...house.body(), aud: "home", seq: 0, silence_ms: "3m", checks: [{ kind: "icmp" }] };
      const reply = await house.beat(bad);
      assert.equal(reply.status, 422);
      const paths = (reply.json["errors"] as { path: string }[]).map(({ path }) => path).sort();
      assert.deepEqual(paths, ["/aud", "/checks/0/kind", "/seq", "/silence_ms"]);
      const newer = await house.beat({ ...house.body(), colour: "green", status: { ...CALM, mood: 1 } });
      assert.equal(newer.status, 202);
      assert.deepEqual((await house.ask("GET", "/status")).json["house"], CALM);
    },
  },
  {
    name: "what was acknowledged outlives the object: status, keys and the rule against replays",
    async run(edge) {
      const house = await new House(edge).add();
      const body = house.body();
      await house.beat(body);
      await edge.evict(house.site);
      assert.deepEqual((await house.ask("GET", "/status")).json["house"], CALM);
      assert.equal((await house.beat({ ...body, every_ms: 31_000 })).status, 409);
      assert.equal((await house.beat()).status, 202);
    },
  },
  {
    name: "a site that is removed leaves no row; under the same name begins a new one",
    async run(edge) {
      const house = await new House(edge).add();
      await house.beat();
      const old = house.body();
      assert.equal(await edge.rows(house.site), 1);
      assert.equal((await house.ask("DELETE", "", ADMIN)).status, 204);
      assert.equal(await edge.rows(house.site), 0);
      assert.equal((await house.ask("GET", "/status")).status, 404);
      assert.equal((await ask(edge, "GET", `/v1/sites?q=${house.site}`)).json["total"], 0);
      await edge.scheduled();
      assert.equal(await edge.rows(house.site), 0);
      const key = house.key;
      house.key = newKey();
      assert.equal((await house.put()).status, 201);
      assert.equal((await house.ask("GET", "/status")).json["house"], null);
      assert.equal((await house.beat(old, { key })).status, 401);
      assert.equal((await house.beat()).status, 202);
    },
  },
  {
    name: "a flood of one site's heartbeats is slowed down with Retry-After",
    async run(edge) {
      const house = await new House(edge).add();
      const replies = await Promise.all(Array.from({ length: 90 }, () => house.beat(house.body())));
      const slow = replies.filter(({ status }) => status === 429);
      assert.notEqual(slow.length, 0);
      for (const reply of slow) assert.match(reply.headers.get("retry-after") ?? "", /^\d+$/);
    },
  },
];
