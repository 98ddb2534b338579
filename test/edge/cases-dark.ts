import assert from "node:assert/strict";
import { Webhook } from "standardwebhooks";
import { type Received, recorder } from "../support/recorder.ts";
import type { Case } from "./case.ts";
import { CALM, House, newKey } from "./driver.ts";
import { ADMIN } from "./edges.ts";

const parsed = ({ body }: Received) => JSON.parse(body) as { type: string; data: Record<string, string> };
const kinds = (got: readonly Received[]): string[] => got.map((one) => parsed(one).data["event"]!);

/** The dead-man's switch and its alerts. Silences are one second here: the least that the wire allows. */
export const DARK: readonly Case[] = [
  {
    name: "silence is told once, however often alarm and cron tick: with the last diagnosis, signed; then that it is back",
    async run(edge) {
      const receiver = await recorder();
      try {
        const secret = newKey();
        const url = `http://127.0.0.1:${receiver.port}/alerts`;
        const house = await new House(edge).add({ notify: [{ kind: "webhook", url, secret }] });
        const status = {
          ...CALM,
          state: "failing",
          cause: "not_announced",
          summary: "Nobody answers ARP for 192.168.8.53.",
        };
        await house.answer({ silence_ms: 1_000, status });
        await house.until((shown) => shown.json["state"] === "dark");
        for (let cron = 0; cron < 5; cron++) await edge.scheduled();
        await receiver.until((got) => got.length >= 1);
        await edge.evict(house.site);
        await edge.scheduled();
        assert.deepEqual(kinds(receiver.got), ["site_dark"]);
        const dark = receiver.got[0]!;
        new Webhook(secret).verify(dark.body, dark.headers as Record<string, string>);
        const { type, data } = parsed(dark);
        assert.equal(type, "hairpin.site_dark.v1");
        assert.equal(data["delivery_id"], dark.headers["webhook-id"]);
        assert.match(
          data["message"]!,
          /silent for .*failing \(not_announced\).*Nobody answers ARP for 192\.168\.8\.53/,
        );
        assert.equal(data["status_url"], `${edge.url}/v1/sites/${house.site}/status`);
        await house.answer({ silence_ms: 180_000 });
        await receiver.until((got) => got.length >= 2);
        assert.deepEqual(kinds(receiver.got), ["site_dark", "site_back"]);
        assert.match(parsed(receiver.got[1]!).data["message"]!, /after .* of silence.*It says ok/);
        assert.equal((await house.ask("GET", "/status")).json["state"], "ok");
      } finally {
        receiver.close();
      }
    },
  },
  {
    name: "a site that never spoke is dark after its first silence, by its alarm alone",
    async run(edge) {
      const receiver = await recorder();
      try {
        const url = `http://127.0.0.1:${receiver.port}/topic`;
        const house = await new House(edge).add({
          silence_ms: 1_000,
          notify: [{ kind: "ntfy", url, token: "tk_abc" }],
        });
        await receiver.until((got) => got.length >= 1);
        const [dark] = receiver.got;
        assert.equal(dark!.headers["title"], `${house.site} is dark`);
        assert.equal(dark!.headers["priority"], "4");
        assert.equal(dark!.headers["authorization"], "Bearer tk_abc");
        assert.match(dark!.body, /No heartbeat has ever come/);
      } finally {
        receiver.close();
      }
    },
  },
  {
    name: "cron finds a site whose alarm is gone, and tells no second time",
    async run(edge) {
      const receiver = await recorder();
      try {
        const url = `http://127.0.0.1:${receiver.port}/`;
        const house = await new House(edge).add({ notify: [{ kind: "webhook", url }] });
        await house.answer({ silence_ms: 180_000 });
        await edge.scheduled();
        assert.equal((await house.ask("GET", "/status")).json["state"], "ok");
        await edge.amend(house.site, (state) => ({ ...state, heard_at: state.heard_at! - 200_000 }));
        await Promise.all(Array.from({ length: 6 }, () => edge.scheduled()));
        assert.equal((await house.ask("GET", "/status")).json["state"], "dark");
        await receiver.until((got) => got.length >= 1);
        await Promise.all(Array.from({ length: 6 }, () => edge.scheduled()));
        assert.deepEqual(kinds(receiver.got), ["site_dark"]);
      } finally {
        receiver.close();
      }
    },
  },
  {
    name: "when it was the edge that was away, a house gets one more silence before it is called dark",
    async run(edge) {
      const house = await new House(edge).add();
      await house.answer({ silence_ms: 10_000 });
      await edge.amend(house.site, (state) => ({ ...state, heard_at: state.heard_at! - 600_000 }));
      await edge.scheduled();
      assert.equal((await house.ask("GET", "/status")).json["state"], "ok");
      await edge.amend(house.site, (state) => ({ ...state, resumed_at: state.resumed_at! - 11_000 }));
      await edge.scheduled();
      assert.equal((await house.ask("GET", "/status")).json["state"], "dark");
    },
  },
  {
    name: "a template makes it what Telegram or Slack wants to read",
    async run(edge) {
      const receiver = await recorder();
      try {
        const url = `http://127.0.0.1:${receiver.port}/bot123/sendMessage`;
        const template = '{"chat_id":"42","text":"{{title}}: {{message}}"}';
        const house = await new House(edge).add({ notify: [{ kind: "webhook", url, template }] });
        const summary = 'a "quoted" word';
        await house.answer({ silence_ms: 1_000, status: { ...CALM, summary } });
        await receiver.until((got) => got.length >= 1);
        const { chat_id, text } = JSON.parse(receiver.got[0]!.body) as Record<string, string>;
        assert.equal(chat_id, "42");
        assert.equal(text!.startsWith(`${house.site} is dark: `), true);
        assert.equal(text!.includes(summary), true);
      } finally {
        receiver.close();
      }
    },
  },
  {
    name: "a receiver that fails is tried again with the same id and the same text; 410 disables it visibly",
    async run(edge) {
      const answers = [500, 200];
      const flaky = await recorder(() => ({ status: answers.shift() ?? 200 }));
      const gone = await recorder(() => ({ status: 410 }));
      try {
        const to = (port: number) => ({ kind: "webhook", url: `http://127.0.0.1:${port}/` }) as const;
        const house = await new House(edge).add({ silence_ms: 1_000, notify: [to(flaky.port), to(gone.port)] });
        await flaky.until((got) => got.length >= 2);
        const [first, second] = flaky.got;
        assert.equal(first!.headers["webhook-id"], second!.headers["webhook-id"]);
        assert.equal(first!.body, second!.body);
        const shown = await house.until((status) =>
          (status.json["deliveries"] as { state: string }[]).every(({ state }) => state !== "queued"),
        );
        const states = (shown.json["deliveries"] as { receiver: string; state: string }[]).map(
          ({ receiver, state }) => `${receiver} ${state}`,
        );
        assert.deepEqual(states.sort(), ["edge-1 delivered", "edge-2 dead"]);
        assert.match(JSON.stringify(shown.json["receivers"]), /410 Gone/);
        assert.equal(gone.got.length, 1);
      } finally {
        flaky.close();
        gone.close();
      }
    },
  },
  {
    name: "alerts of two sites that were added at once have ids of their own at their common receiver",
    async run(edge) {
      const receiver = await recorder();
      try {
        const notify = [{ kind: "webhook", url: `http://127.0.0.1:${receiver.port}/` } as const];
        const long = `s-${"x".repeat(40)}-${Math.random().toString(36).slice(2, 10)}`;
        const houses = [new House(edge), new House(edge), new House(edge, `${long}-1`), new House(edge, `${long}-2`)];
        await Promise.all(houses.map((house) => house.add({ silence_ms: 1_000, notify })));
        await receiver.until((got) => got.length >= houses.length);
        const ids = receiver.got.map(({ headers }) => String(headers["webhook-id"]));
        assert.equal(new Set(ids).size, houses.length);
        for (const id of ids) assert.match(id, /^[A-Za-z0-9_-]{1,64}$/);
      } finally {
        receiver.close();
      }
    },
  },
  {
    name: "a test goes to every receiver",
    async run(edge) {
      const receiver = await recorder();
      try {
        const url = `http://127.0.0.1:${receiver.port}/`;
        const house = await new House(edge).add({ notify: [{ kind: "webhook", url }] });
        const reply = await house.ask("POST", "/test-notifications", ADMIN);
        assert.equal(reply.status, 202);
        assert.equal(reply.json["receivers"], 1);
        await receiver.until((got) => got.length >= 1);
        assert.deepEqual(kinds(receiver.got), ["test"]);
      } finally {
        receiver.close();
      }
    },
  },
];
