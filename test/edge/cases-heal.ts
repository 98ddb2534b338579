import assert from "node:assert/strict";
import { verify } from "../../src/core/standard-webhooks.ts";
import { hmac } from "../../src/runtime/node/hmac.ts";
import type { Case } from "./case.ts";
import { House, newId, newKey, nowSeconds } from "./driver.ts";

/** A request to heal from outside: held, handed on as it was signed, and never understood here. */
export const HEALS: readonly Case[] = [
  {
    name: "a signed request waits, comes with each answer byte for byte, and ends with the house's word",
    async run(edge) {
      const house = await new House(edge).add();
      await house.beat();
      const key = newKey();
      const id = newId();
      const body = `{ "type":"hairpin.heal_request.v1",  "aud":"${house.site}","step":"announce" }`;
      const signedText = await house.heal(JSON.parse(body) as Record<string, unknown>, { id, key });
      assert.equal(signedText.status, 202, signedText.text);
      assert.equal(signedText.headers.get("location"), `/v1/sites/${house.site}/heals/${id}`);
      assert.equal(signedText.json["state"], "waiting");
      const answer = await house.answer();
      assert.equal(answer.heals.length, 1);
      const [envelope] = answer.heals;
      const headers = new Map([
        ["webhook-id", envelope!.id],
        ["webhook-timestamp", envelope!.timestamp],
        ["webhook-signature", envelope!.signature],
      ]);
      assert.equal((await verify([key], headers, envelope!.body, nowSeconds(), hmac)).ok, true);
      assert.equal((await house.ask("GET", `/heals/${id}`)).json["state"], "fetched");
      assert.equal((await house.answer()).heals.length, 1, "an answer may be lost");
      const result = { id, status: 202, state: "accepted", detail: "heal-7 runs" };
      assert.deepEqual((await house.answer({ heal_results: [result] })).heals, []);
      const shown = (await house.ask("GET", `/heals/${id}`)).json;
      assert.equal(shown["state"], "answered");
      assert.deepEqual(shown["result"], result);
    },
  },
  {
    name: "the same request again is the same; another body for its id is a 409; a fifth that waits is a 429",
    async run(edge) {
      const house = await new House(edge).add();
      const id = newId();
      assert.equal((await house.heal({}, { id })).status, 202);
      assert.equal((await house.heal({}, { id })).status, 200);
      assert.equal((await house.heal({ reason: "another" }, { id })).status, 409);
      for (let more = 0; more < 3; more++) assert.equal((await house.heal({})).status, 202);
      const full = await house.heal({});
      assert.equal(full.status, 429);
      assert.equal(full.headers.get("retry-after"), "60");
    },
  },
  {
    name: "no token, another site's token, no signature, another audience, an old timestamp or a large body: nothing waits",
    async run(edge) {
      const token = "token-of-the-first-site";
      const house = await new House(edge).add({ tokens: [token] });
      const other = await new House(edge).add();
      assert.equal((await house.heal({}, {}, null)).status, 401);
      assert.equal((await other.heal({}, {}, token)).status, 401);
      assert.equal((await house.heal({ aud: other.site })).status, 422);
      assert.equal((await house.heal({ step: "rm -rf /" })).status, 422);
      assert.equal((await house.heal({}, { seconds: nowSeconds() - 302 })).status, 422);
      assert.equal(
        (await house.ask("POST", "/heal", token, { type: "hairpin.heal_request.v1", aud: house.site })).status,
        422,
      );
      assert.equal((await house.heal({ reason: "x".repeat(5_000) })).status, 413);
      assert.equal((await new House(edge).heal({})).status, 404);
      assert.deepEqual((await house.answer()).heals, []);
      assert.equal((await house.heal({}, {}, token)).status, 202);
    },
  },
  {
    name: "after 60 s a request is void: no answer carries it, and its text is gone from the store",
    async run(edge) {
      const house = await new House(edge).add();
      const id = newId();
      await house.heal({ reason: "words that nobody keeps" }, { id });
      await edge.amend(house.site, (state) => ({
        ...state,
        heals: state.heals.map((heal) => ({ ...heal, received_at: heal.received_at - 60_000 })),
      }));
      assert.deepEqual((await house.answer()).heals, []);
      assert.equal((await house.ask("GET", `/heals/${id}`)).json["state"], "expired");
      await edge.scheduled();
      let kept = "";
      await edge.amend(house.site, (state) => {
        kept = JSON.stringify(state);
        return state;
      });
      assert.equal(kept.includes("words that nobody keeps"), false);
      assert.equal((await house.heal({ reason: "words that nobody keeps" }, { id })).status, 200);
      assert.equal((await house.heal({ reason: "other words" }, { id })).status, 409);
    },
  },
  {
    name: "a request outlives the object that took it",
    async run(edge) {
      const house = await new House(edge).add();
      await house.heal({ reason: "from outside" });
      await edge.evict(house.site);
      const { heals } = await house.answer();
      assert.match(heals[0]!.body, /from outside/);
    },
  },
];
