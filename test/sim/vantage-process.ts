import { largestGap } from "../../src/core/cron.ts";
import { observation as schema } from "../../src/core/observation.ts";
import { verify } from "../../src/core/standard-webhooks.ts";
import { runVantage } from "../../src/engine/vantage.ts";
import type { HubLine, HubReply, VantageDisk, VantagePorts } from "../../src/engine/vantage-port.ts";
import { hashOf } from "./chance.ts";
import type { HubProcess } from "./hub-process.ts";
import { Life, type Machine } from "./life.ts";
import { type Eyes, lookAround } from "./round.ts";
import type { Site } from "./site.ts";
import { type Truth, whoAnswers } from "./truth.ts";

/** Vantages look after the host has spoken, and before the hub decides. */
const PHASE = 1_000;

export interface VantageProcess {
  readonly name: string;
  readonly where: "vm" | "lan";
  readonly eyes: Eyes;
  start(): void;
  kill(): void;
  life(): Life | null;
  heldDown: boolean;
  /** A gratuitous ARP came by. */
  announced(truth: Truth): void;
}

/** A short keyed checksum in the place of HMAC-SHA256: what is simulated is who has which key, not cryptography. */
export const hmac = async (key: string, text: string): Promise<string> => {
  // Sender and receiver ask for the same text, one after the other.
  if (text !== lastText) [lastText, lastHash] = [text, hashOf(text)];
  return hashOf(key, lastHash).toString(16).padStart(8, "0").repeat(2);
};
let lastText = "";
let lastHash = 0;
const keys = new Map<string, string>();

export const keyOf = (vantage: string): string => {
  const key =
    keys.get(vantage) ??
    `whsec_${Array.from({ length: 32 }, (_, index) => "abcdefghijklmnop"[hashOf(`${vantage} ${index}`) % 16]).join("")}`;
  keys.set(vantage, key);
  return key;
};

export function createVantageProcess(site: Site, name: string, where: "vm" | "lan", machine: Machine): VantageProcess {
  const { agenda } = site;
  const luck = site.chance.fork(`vantage ${name}`);
  let life: Life | null = null;
  let starts = 0;
  const disk = memoryDisk();
  const eyes: Eyes = { blind: false, blocked: false, controlBad: false, loss: 0, table: new Map() };

  const process: VantageProcess = {
    name,
    where,
    eyes,
    heldDown: false,
    life: () => life,
    kill: () => life?.kill(),
    announced(truth) {
      if (eyes.blind || eyes.blocked) return;
      const mac = whoAnswers(truth)[0];
      if (mac !== undefined) for (const [address, entry] of eyes.table) eyes.table.set(address, { ...entry, mac });
    },
    start() {
      if (life !== null || process.heldDown) return;
      const mine = new Life(name, machine, agenda, PHASE, () => {
        life = null;
        agenda.in(luck.between(1_000, 10_000), () => process.start());
      });
      life = mine;
      const clock = {
        mono: mine.mono,
        wall: mine.wall,
        sleep: (millis: number, signal?: AbortSignal) =>
          new Promise<void>((resolve) => {
            const cancel = agenda.in(millis, () => done());
            const done = () => {
              cancel();
              signal?.removeEventListener("abort", done);
              if (mine.alive) resolve();
            };
            if (signal?.aborted) done();
            else signal?.addEventListener("abort", done, { once: true });
          }),
      };
      const ports: VantagePorts = {
        clock,
        log: () => {},
        round: (request) => lookAround(site, process, mine, clock, luck, request),
        timetable: {
          start(expression, onTick) {
            let cancel = () => {};
            const gap = largestGap(expression);
            const next = () => {
              const wait = gap - (agenda.now() % gap);
              cancel = mine.after(wait, () => {
                next();
                onTick();
              });
            };
            next();
            return () => cancel();
          },
        },
        reports: line(site, process, mine),
        plans: line(site, process, mine),
        disk: disk.port(mine),
        hmac,
        token: { hub: "http://hub", site: site.house.site, vantage: name, key: keyOf(name) },
        bootId: `v${hashOf(`${site.seed} ${name} ${++starts}`).toString(16)}`,
      };
      void runVantage(ports, new AbortController().signal);
    },
  };
  return process;
}

function line(site: Site, vantage: VantageProcess, life: Life): HubLine {
  const silent: HubReply = { status: null, headers: {}, body: "", detail: "no answer" };
  return {
    async send(request, signal) {
      if (!life.touch()) return new Promise(() => {});
      const post = request.method === "POST";
      let answer: HubReply | null = null;
      // Where two hubs run on one address, either may get what comes; here both do, which is the worse case.
      for (const hub of post ? [...site.hubs].reverse() : site.hubs.slice(0, 1)) {
        const reply = await site.net.call(`${vantage.name}-${hub.name}`, life, post ? request.timeout : null, () => {
          const there = hub.current();
          if (there === null) return null;
          const served = post
            ? takeReport(site, hub, request.headers, request.body ?? "", false)
            : givePlan(site, hub, vantage.name, request.headers["if-none-match"] ?? null, request.path, signal);
          return { life: there.life, answer: served };
        });
        answer = reply.ok ? reply.value : { ...silent, detail: reply.detail };
      }
      return answer ?? silent;
    },
  };
}

async function givePlan(
  site: Site,
  hub: HubProcess,
  vantage: string,
  etag: string | null,
  path: string,
  signal: AbortSignal,
): Promise<HubReply> {
  const there = hub.current()!;
  const asked = Number(/wait_ms=(\d+)/.exec(path)?.[1] ?? 0);
  // Where time is coarse the open request is held longer, so that it is not renewed at every beat.
  const wait = site.agenda.pace() >= 10_000 ? 40 * asked : asked;
  const answer = await there.hub.plan(vantage, etag, wait, signal);
  if (answer.kind === "changed")
    return { status: 200, headers: { etag: answer.etag }, body: JSON.stringify(answer.plan), detail: null };
  const headers: Record<string, string> = answer.rounds > 0 ? { "hairpin-rounds": String(answer.rounds) } : {};
  return { status: 304, headers, body: "", detail: null };
}

/** What src/hooks/observation.ts does with a report: signature over the raw text, then its form, then the engine. */
export async function takeReport(
  site: Site,
  hub: HubProcess,
  headers: Readonly<Record<string, string>>,
  body: string,
  liar: boolean,
): Promise<HubReply> {
  const there = hub.current();
  const reply = (status: number, rounds = 0): HubReply => ({
    status,
    headers: {},
    body: JSON.stringify({ rounds }),
    detail: null,
  });
  if (there === null || !there.life.touch()) return new Promise(() => {});
  const named = /"vantage"\s*:\s*"([A-Za-z0-9_-]{1,64})"/.exec(body)?.[1] ?? "";
  const checked = await verify(
    [keyOf(named)],
    { get: (key) => headers[key] },
    body,
    Math.floor(there.life.wall() / 1_000),
    hmac,
  );
  if (!checked.ok) {
    site.witness.count("reports refused by signature");
    return reply(401);
  }
  const parsed = liar ? schema.safeParse(JSON.parse(body)) : { success: true as const, data: JSON.parse(body) };
  if (!parsed.success) return reply(422);
  const observation = site.mutant.observation(parsed.data);
  const digest = `${hashOf(body)}-${body.length}`;
  const age = Math.max(0, checked.seconds * 1_000 - Date.parse(observation.observed_at));
  const seen = { kind: "observed", hub: hub.name, observation: parsed.data, digest, age, liar } as const;
  hub.disk.intake = { ...seen, answer: "accepted" };
  try {
    const answer = there.hub.observe({
      observation,
      webhookId: checked.id,
      digest,
      ageMs: age,
    });
    if (!there.life.alive) return new Promise(() => {});
    if (answer.kind !== "accepted") site.witness.tell({ ...seen, answer: answer.kind });
    const status = { accepted: 202, duplicate: 200, conflict: 409, unavailable: 503 }[answer.kind];
    return reply(status, "rounds" in answer ? answer.rounds : 0);
  } catch (error) {
    if (!(error instanceof Error && error.name === "StoreError")) throw error;
    return there.life.alive ? reply(503) : new Promise(() => {});
  } finally {
    hub.disk.intake = null;
  }
}

/** The vantage's directory: survives its process. */
function memoryDisk() {
  const files = new Map<number, string>();
  let plan: string | null = null;
  let seq = 0;
  const port = (life: Life): VantageDisk => ({
    readPlan: () => life.answer(plan),
    writePlan: async (text) => {
      plan = text;
      return life.answer(undefined);
    },
    readSeq: () => life.answer(seq),
    writeSeq: async (value) => {
      seq = value;
      return life.answer(undefined);
    },
    spooled: () => life.answer([...files.keys()].sort((a, b) => a - b)),
    readSpooled: (number) => life.answer(files.get(number) ?? null),
    writeSpooled: async (number, body) => {
      files.set(number, body);
      return life.answer(undefined);
    },
    removeSpooled: async (number) => {
      files.delete(number);
      return life.answer(undefined);
    },
  });
  return { port };
}
