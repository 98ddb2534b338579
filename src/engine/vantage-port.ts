import type { JoinToken } from "../core/plan.ts";
import type { Hmac } from "../core/standard-webhooks.ts";
import type { Millis } from "../core/units.ts";
import type { Clock } from "../probes/port.ts";
import type { RoundRequest, RoundResult } from "../probes/round.ts";
import type { DoneRound } from "./vantage-rounds.ts";

/** Calls `onTick` at each time of a cron expression with seconds, in UTC. The result stops it; null: not an expression. */
export interface Timetable {
  start(expression: string, onTick: () => void): (() => void) | null;
}

/** What the hub answered; `status` null: it did not. */
export interface HubReply {
  readonly status: number | null;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Why there was no answer. */
  readonly detail: string | null;
}

export interface HubRequest {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  readonly timeout: Millis;
}

/** One request at a time over a kept connection; never rejects. */
export interface HubLine {
  send(request: HubRequest, signal: AbortSignal): Promise<HubReply>;
}

/** The vantage's own directory. Reading gives null for what is missing or unreadable; writing rejects when the disk refuses. */
export interface VantageDisk {
  readPlan(): Promise<string | null>;
  writePlan(text: string): Promise<void>;
  /** The highest sequence number that may have been used; 0 at first. */
  readSeq(): Promise<number>;
  writeSeq(seq: number): Promise<void>;
  /** The sequence numbers of the spooled observations, ascending. */
  spooled(): Promise<readonly number[]>;
  readSpooled(seq: number): Promise<string | null>;
  writeSpooled(seq: number, body: string): Promise<void>;
  /** Without effect when there is none. */
  removeSpooled(seq: number): Promise<void>;
}

export type VantageLog = (
  level: "debug" | "info" | "warn" | "error",
  fields: Readonly<Record<string, unknown>>,
  message: string,
) => void;

export interface VantagePorts {
  readonly clock: Clock;
  readonly log: VantageLog;
  readonly round: (request: RoundRequest, signal: AbortSignal) => Promise<RoundResult>;
  readonly timetable: Timetable;
  /** Two lines, since one is kept open by the long poll. */
  readonly reports: HubLine;
  readonly plans: HubLine;
  readonly disk: VantageDisk;
  readonly hmac: Hmac;
  readonly token: JoinToken;
  /** New at each start of the process. */
  readonly bootId: string;
  /** Gets each round, for whoever shows them on this machine. */
  readonly seen?: (round: DoneRound) => void;
}

/** Doubles from 1 s to 15 s: soon enough after a hub's restart, and no burden on one that is down for a day. */
export function backOff(failures: number): Millis {
  return Math.min(15_000, 1_000 * 2 ** Math.min(4, Math.max(0, failures - 1)));
}

/** What a 401 means to a person at three in the morning. */
export function refusedKey(token: JoinToken): string {
  return `the hub at ${token.hub} refuses the key of vantage ${token.vantage} (401): it was revoked, or the clocks differ by more than 5 minutes; a new one: hairpin token vantage ${token.vantage}`;
}
