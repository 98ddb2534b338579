import assert from "node:assert/strict";
import type { Case } from "./case.ts";
import { ask, House, newKey } from "./driver.ts";
import { ADMIN, READ, version } from "./edges.ts";

/** HTTP, tokens, the administrator's routes, the pages. */
export const HTTP: readonly Case[] = [
  {
    name: "GET /healthz says that it lives, in which version, and HEAD without a body",
    async run(edge) {
      const reply = await ask(edge, "GET", "/healthz", null);
      assert.equal(reply.status, 200);
      assert.match(reply.headers.get("content-type") ?? "", /^application\/json/);
      assert.equal(reply.headers.get("x-content-type-options"), "nosniff");
      assert.deepEqual(reply.json, { status: "ok", version });
      const head = await ask(edge, "HEAD", "/healthz", null);
      assert.equal(head.status, 200);
      assert.equal(head.text, "");
    },
  },
  {
    name: "another method is a 405 with Allow, another path a 404, both as a problem document",
    async run(edge) {
      const method = await ask(edge, "POST", "/healthz", null, {});
      assert.equal(method.status, 405);
      assert.equal(method.headers.get("allow"), "GET, HEAD");
      const site = await ask(edge, "POST", "/v1/sites/home", null, {});
      assert.equal(site.status, 405);
      assert.equal(site.headers.get("allow"), "PUT, DELETE");
      const path = await ask(edge, "GET", "/nowhere");
      assert.equal(path.status, 404);
      assert.match(path.headers.get("content-type") ?? "", /^application\/problem\+json/);
      assert.equal(path.json["status"], 404);
    },
  },
  {
    name: "the list, a site and its heals want a token; wrong ones are answered alike, also for a site that is not there",
    async run(edge) {
      const house = await new House(edge).add();
      for (const path of ["/", "/v1/sites", `/v1/sites/${house.site}/status`, "/v1/sites/nobody/status"]) {
        for (const token of [null, "wrong-token-of-nobody", `${READ}x`, "too-short", "Basic !!!"]) {
          const reply = await ask(edge, "GET", path, token);
          assert.equal(reply.status, 401, `${path} with ${token}`);
          assert.equal(reply.headers.get("www-authenticate"), 'Bearer realm="hairpin"');
        }
        assert.equal((await ask(edge, "GET", path, READ)).status, path.includes("nobody") ? 404 : 200, path);
        assert.equal((await ask(edge, "GET", path, ADMIN)).status, path.includes("nobody") ? 404 : 200, path);
      }
    },
  },
  {
    name: "a browser is asked for a password, and the token is one",
    async run(edge) {
      const asked = await ask(edge, "GET", "/", null, undefined, { accept: "text/html" });
      assert.equal(asked.status, 401);
      assert.match(asked.headers.get("www-authenticate") ?? "", /^Basic /);
      const basic = `Basic ${Buffer.from(`me:${READ}`).toString("base64")}`;
      const page = await ask(edge, "GET", "/", basic, undefined, { accept: "text/html" });
      assert.equal(page.status, 200);
      assert.match(page.headers.get("content-type") ?? "", /^text\/html/);
      assert.match(page.text, /<h1>\d+ sites?<\/h1>/);
    },
  },
  {
    name: "a site's own token opens this site and no other, and not the list",
    async run(edge) {
      const token = "token-of-this-one-site";
      const house = await new House(edge).add({ tokens: [token] });
      const other = await new House(edge).add();
      assert.equal((await house.ask("GET", "/status", token)).status, 200);
      assert.equal((await other.ask("GET", "/status", token)).status, 401);
      assert.equal((await ask(edge, "GET", "/v1/sites", token)).status, 401);
    },
  },
  {
    name: "only the admin token adds, changes, tests and removes a site",
    async run(edge) {
      const house = new House(edge);
      assert.equal((await house.put({}, null)).status, 401);
      assert.equal((await house.put({}, READ)).status, 401);
      assert.equal((await house.put()).status, 201);
      assert.equal((await house.put()).status, 200);
      assert.equal((await house.ask("POST", "/test-notifications", READ)).status, 401);
      assert.equal((await house.ask("DELETE", "", READ)).status, 401);
      assert.equal((await house.ask("DELETE", "", ADMIN)).status, 204);
      assert.equal((await house.ask("DELETE", "", ADMIN)).status, 404);
    },
  },
  {
    name: "settings that are wrong are refused with every mistake and its path, and change nothing",
    async run(edge) {
      const house = new House(edge);
      const bad = { keys: ["whsec_short"], notify: [{ kind: "ntfy", url: "gopher://x" }], silence_ms: -1, extra: 1 };
      const reply = await house.ask("PUT", "", ADMIN, bad);
      assert.equal(reply.status, 422);
      const paths = (reply.json["errors"] as { path: string }[]).map(({ path }) => path);
      assert.deepEqual(paths.sort(), ["/extra", "/keys/0", "/notify/0/url", "/silence_ms"]);
      assert.equal((await house.ask("GET", "/status")).status, 404);
      assert.equal(await edge.rows(house.site), 0);
      const name = await ask(edge, "PUT", "/v1/sites/a%20name", ADMIN, { keys: [newKey()] });
      assert.equal(name.status, 422);
    },
  },
  {
    name: "neither status nor list nor page shows a key, a token or the URL of a receiver",
    async run(edge) {
      const token = "token-that-nobody-sees";
      const secret = newKey();
      const notify = [{ kind: "webhook", url: "http://127.0.0.1:9/secret-path", secret } as const];
      const house = await new House(edge).add({ tokens: [token], notify });
      await house.beat();
      for (const accept of ["application/json", "text/html"])
        for (const path of [`/v1/sites/${house.site}/status`, "/v1/sites"]) {
          const { text } = await ask(edge, "GET", path, READ, undefined, { accept });
          for (const hidden of [house.key, token, secret, "secret-path", READ, ADMIN])
            assert.equal(text.includes(hidden), false, `${path} shows ${hidden}`);
        }
    },
  },
  {
    name: "the page of a site escapes what the house says, and lets nothing run or load",
    async run(edge) {
      const house = await new House(edge).add();
      const summary = `<script>alert(1)</script>"'&\u202e`;
      await house.answer({
        status: {
          state: "failing",
          cause: "not_announced",
          summary,
          since: null,
          targets: {},
          heal: { mode: "auto", state: "ok", breaker: "closed" },
        },
      });
      const page = await ask(edge, "GET", `/v1/sites/${house.site}/status`, READ, undefined, { accept: "text/html" });
      assert.equal(page.status, 200);
      assert.equal(page.text.includes("<script"), false);
      assert.match(page.text, /&lt;script&gt;alert\(1\)&lt;\/script&gt;&quot;&#39;&amp;\\u202e/);
      const policy = page.headers.get("content-security-policy") ?? "";
      assert.match(policy, /default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]{43}='/);
      assert.equal(/script-src|unsafe/.test(policy), false);
    },
  },
  {
    name: "the list has the worst first, finds by words, and counts also what does not fit",
    async run(edge) {
      const mark = `fleet${Math.random().toString(36).slice(2, 8)}`;
      const states = ["ok", "failing", "degraded", "maintenance"];
      for (const state of states) {
        const house = await new House(edge, `${mark}-${state}`).add();
        const status = {
          state,
          cause: state === "failing" ? "link_missing" : null,
          summary: `it is ${state}`,
          since: null,
          targets: {},
          heal: { mode: "auto", state: "ok", breaker: "closed" },
        };
        await house.answer({ status });
        await house.until((shown) => shown.json["state"] === state);
      }
      await new House(edge, `${mark}-new`).add();
      const list = async (query: string) => {
        for (;;) {
          const { json } = await ask(edge, "GET", `/v1/sites?${query}`);
          if (
            !(json["sites"] as { state: string; site: string }[]).some(
              ({ site, state }) => state === "waiting" && !site.endsWith("-new"),
            )
          )
            return json;
        }
      };
      const all = await list(`q=${mark}`);
      assert.deepEqual(
        (all["sites"] as { site: string }[]).map(({ site }) => site.slice(mark.length + 1)),
        ["failing", "new", "degraded", "maintenance", "ok"],
      );
      const two = await list(`q=${mark.toUpperCase()}&limit=2`);
      assert.equal(two["total"], 5);
      assert.equal((two["sites"] as unknown[]).length, 2);
      assert.deepEqual(two["counts"], { failing: 1, waiting: 1, degraded: 1, maintenance: 1, ok: 1 });
      const one = await list(`q=${mark}%20LINK_missing`);
      assert.deepEqual(
        (one["sites"] as { site: string }[]).map(({ site }) => site),
        [`${mark}-failing`],
      );
    },
  },
  {
    name: "a page of another site may not send what a browser would be allowed to",
    async run(edge) {
      const house = await new House(edge).add();
      const cross = { "sec-fetch-site": "cross-site" };
      const reply = await ask(edge, "DELETE", `/v1/sites/${house.site}`, ADMIN, undefined, cross);
      assert.equal(reply.status, 403);
      assert.equal((await house.ask("GET", "/status")).status, 200);
    },
  },
];
