import type { WhoHasAnswer } from "../../core/observation.ts";
import type { WhoHasResult } from "../../probes/port.ts";
import { findProgram, runCommand } from "./probe-command.ts";

const ANSWERS_MAX = 16;

export type Solicit = (address: string, device: string, signal: AbortSignal) => Promise<WhoHasResult>;

/**
 * Who-has for IPv6: one neighbour solicitation (RFC 4861, 7.2.2) through `ndisc6`, which collects every advertisement of the next half
 * second with `-m`. It prints no times. Without it the kernel's table is all there is: a datagram would make the kernel ask, yet only
 * 5 s after the last answer, and what it then writes cannot tell two answers apart.
 */
export function createSolicit(): Solicit {
  const path = findProgram("ndisc6");
  return async (address, device, signal) => {
    if (path === null) return unasked("neighbours not solicited: ndisc6 is not installed");
    const argv = ["-r", "1", "-w", "500", "-n", "-m", address, device];
    const { stdout, stderr } = await runCommand(path, argv, signal);
    return parseSolicited(stdout, stderr);
  };
}

export const SOLICIT_REFUSED = "neighbours not solicited: ndisc6 needs CAP_NET_RAW";
const unasked = (detail: string): WhoHasResult => ({ asked: false, answers: [], detail });

const ANSWER = /^Target link-layer address: ([0-9a-f]{2}(?::[0-9a-f]{2}){5})\s*$/gim;

/**
 * Every MAC that answered, once. Silence says nothing here, and leaves the word to the kernel's table: an announcer of the lab that the
 * kernel hears was not heard by ndisc6, and a silence that is taken for an outage would be a vote.
 */
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
