import { spawn } from "node:child_process";
import { networkInterfaces } from "node:os";
import type { WhoHasAnswer } from "../../core/observation.ts";
import type { WhoHasResult } from "../../probes/port.ts";
import { monoMillis } from "./clock.ts";
import {
  ANSWERS_MAX,
  advertisedMacs,
  OCTETS_MAX,
  octetsOf,
  solicitationFor,
  solicitingSocket,
  withAnswers,
} from "./probe-advertisements.ts";
import { findProgram, runCommand } from "./probe-command.ts";

/** How long advertisements are collected: as long as arping's. */
const LISTEN_MS = 500;
/** How long socat may take to open its socket; 20 ms on a quiet machine. */
const OPEN_MS = 5_000;
const STDERR_MAX = 4_096;
const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;

export type Solicit = (address: string, device: string, signal: AbortSignal) => Promise<WhoHasResult>;

/**
 * Who-has for IPv6: one neighbour solicitation (RFC 4861, 7.2.2) and every advertisement of the next half second. Node has no raw sockets,
 * so socat holds one. `ndisc6` is the second choice: it hears only advertisements that come from the solicited address itself, which
 * a kernel's do and MetalLB's do not (docs/facts/l2.md), so its silence says nothing. Without either the kernel's table is all there
 * is: a datagram would make the kernel ask, yet only 5 s after the last answer, and what it then writes cannot tell two answers apart.
 */
export function createSolicit(): Solicit {
  const [socat, ndisc6] = [findProgram("socat"), findProgram("ndisc6")];
  return async (address, device, signal) => {
    if (socat !== null) {
      const result = await solicitBySocket(socat, address, device, signal);
      if (result !== null) return result;
    }
    if (ndisc6 === null)
      return unasked(`neighbours not solicited: ${socat === null ? "socat is not installed" : "not over this link"}`);
    const argv = ["-r", "1", "-w", String(LISTEN_MS), "-n", "-m", address, device];
    const { stdout, stderr } = await runCommand(ndisc6, argv, signal);
    return parseSolicited(stdout, stderr);
  };
}

export const SOLICIT_REFUSED = "neighbours not solicited: socat (or ndisc6) needs CAP_NET_RAW";
/** Nobody was asked, and why: silence that says nothing. */
export const unasked = (detail: string): WhoHasResult => ({ asked: false, answers: [], detail });

/** Null where the link has no MAC or no link-local address to ask from. */
async function solicitBySocket(
  socat: string,
  address: string,
  device: string,
  signal: AbortSignal,
): Promise<WhoHasResult | null> {
  const target = octetsOf(address);
  const link = networkInterfaces()[device]?.find((own) => own.family === "IPv6" && own.scopeid > 0);
  if (target === null || link === undefined || link.scopeid === undefined || !MAC.test(link.mac)) return null;
  return ask(socat, solicitingSocket(target, link.scopeid), target, solicitationFor(target, link.mac), signal);
}

/**
 * socat says when its sockets are open; from then on the time counts. It is a little longer than the network's, by two hand-overs
 * between processes. Never rejects.
 */
function ask(
  socat: string,
  socket: string,
  target: Buffer,
  question: Buffer,
  signal: AbortSignal,
): Promise<WhoHasResult> {
  return new Promise((resolve) => {
    const child = spawn(socat, ["-d", "-d", "-t", "1", "-", socket], { cwd: "/", env: {}, stdio: "pipe", signal });
    let [askedAt, said, octets] = [null as number | null, "", 0];
    let answers: readonly WhoHasAnswer[] = [];
    let timer = setTimeout(() => child.kill("SIGKILL"), OPEN_MS);
    const end = () => {
      clearTimeout(timer);
      resolve(askedAt === null || signal.aborted ? unasked(whyNot(said)) : { asked: true, answers, detail: null });
    };
    child.on("error", end);
    child.on("close", end);
    child.stdin.on("error", () => {}); // It ended before it was asked: `close` tells.
    child.stderr.setEncoding("utf8");
    child.stderr.on("data", (text: string) => {
      if (said.length < STDERR_MAX) said += text;
      if (askedAt !== null || !said.includes("starting data transfer loop")) return;
      askedAt = monoMillis();
      child.stdin.end(question);
      clearTimeout(timer);
      timer = setTimeout(() => child.kill("SIGKILL"), LISTEN_MS);
    });
    child.stdout.on("data", (heard: Buffer) => {
      octets += heard.length;
      if (octets > OCTETS_MAX) child.kill("SIGKILL");
      else if (askedAt !== null) answers = withAnswers(answers, advertisedMacs(heard, target), monoMillis() - askedAt);
    });
  });
}

function whyNot(said: string): string {
  if (/not permitted|permission denied/i.test(said)) return SOLICIT_REFUSED;
  const error = /^.*? E (.*)$/m.exec(said)?.[1] ?? "socat said nothing";
  return `neighbours not solicited: ${error}`;
}

const ANSWER = /^Target link-layer address: ([0-9a-f]{2}(?::[0-9a-f]{2}){5})\s*$/gim;

/** Every MAC that ndisc6 heard, once. Silence leaves the word to the kernel's table. */
export function parseSolicited(stdout: string, stderr: string): WhoHasResult {
  const macs = new Set<string>();
  for (const [, mac] of stdout.matchAll(ANSWER)) if (macs.size < ANSWERS_MAX) macs.add(mac!.toLowerCase());
  const answers = [...macs].map((mac): WhoHasAnswer => ({ mac, ms: null }));
  if (answers.length > 0) return { asked: true, answers, detail: null };
  if (/not permitted|permission denied/i.test(stderr)) return unasked(SOLICIT_REFUSED);
  if (/^No response\.?\s*$/im.test(stdout + stderr))
    return unasked("nobody answered ndisc6; the neighbour table decides");
  const why = stderr.trim().split("\n")[0] ?? "";
  return unasked(`neighbours not solicited: ${why === "" ? "ndisc6 said nothing" : why}`);
}
