import { isIpv6 } from "../../core/address.ts";
import type { WhoHasAnswer } from "../../core/observation.ts";
import type { WhoHas, WhoHasResult } from "../../probes/port.ts";
import { monoMillis } from "./clock.ts";
import { ANSWERS_MAX } from "./probe-advertisements.ts";
import { findProgram, runCommand } from "./probe-command.ts";
import { createSolicit, SOLICIT_REFUSED, unasked } from "./probe-solicit.ts";

type Dialect = "habets" | "iputils";

/** A right that was refused may have been granted since; asking each time would be a fork for nothing. */
const REFUSED_FOR_MS = 600_000;

/**
 * Who-has through `arping`, since Node has no packet sockets. Habets' waits out its half second and prints every answer, also with
 * `-c 1` (measured with two machines that hold one address). That of iputils, like BusyBox's, would end at the first answer with
 * `-c 1`, so it gets a time alone, and `-b` keeps it from turning to the first answerer. It is never run twice at once on a device.
 */
export function createWhoHas(): WhoHas {
  const path = findProgram("arping");
  const solicit = createSolicit();
  let solicitRefusedUntil = 0;
  const turns = new Map<string, Promise<unknown>>();
  let dialect: Promise<Dialect> | null = null;
  let refusedUntil = 0;

  async function ask(program: string, kind: Dialect, address: string, device: string, signal: AbortSignal) {
    const argv =
      kind === "habets" ? ["-c", "1", "-w", "0.5", "-i", device, address] : ["-b", "-w", "1", "-I", device, address];
    const { stdout, stderr } = await runCommand(program, argv, signal);
    return parseArping(stdout, stderr);
  }

  async function askIpv6(address: string, device: string, signal: AbortSignal): Promise<WhoHasResult> {
    if (monoMillis() < solicitRefusedUntil) return unasked(SOLICIT_REFUSED);
    const result = await solicit(address, device, signal);
    if (result.detail === SOLICIT_REFUSED) solicitRefusedUntil = monoMillis() + REFUSED_FOR_MS;
    return result;
  }

  return {
    async ask(address, device, signal): Promise<WhoHasResult> {
      if (isIpv6(address)) return askIpv6(address, device, signal);
      if (path === null) return unasked("who-has not asked: arping is not installed");
      if (monoMillis() < refusedUntil) return unasked(REFUSED);
      dialect ??= runCommand(path, ["--help"]).then(({ stdout, stderr }) => dialectOf(stdout + stderr));
      const kind = await dialect;
      const turn = kind === "habets" ? undefined : turns.get(device);
      const asking = Promise.resolve(turn).then(() => ask(path, kind, address, device, signal));
      if (kind === "iputils") turns.set(device, asking);
      const result = await asking;
      if (!result.asked && result.detail === REFUSED) refusedUntil = monoMillis() + REFUSED_FOR_MS;
      return result;
    },
  };
}

const REFUSED = "who-has not asked: arping needs CAP_NET_RAW";

/** For those who do not want it asked: the neighbour table alone is read. */
export const unaskedWhoHas: WhoHas = { ask: async () => unasked("who-has not asked: switched off") };

/** By what `--help` prints. */
export function dialectOf(help: string): Dialect {
  return /Habets|^ARPing \d/im.test(help) ? "habets" : "iputils";
}

const HABETS = /^\d+ bytes from ([0-9a-f:]{17}) \([^)]*\): index=\d+ time=([\d.]+) (usec|msec|sec)/gim;
const IPUTILS =
  /^(?:Unicast|Broadcast) reply from \S+ \[([0-9a-f:]{17})\](?: for \S+(?: \[[0-9a-f:]{17}\])?)?\s+([\d.]+)ms/gim;
const UNITS: Readonly<Record<string, number>> = { usec: 1e-3, msec: 1, sec: 1e3 };

/** Every MAC that answered, once, with its first time in milliseconds; or why nothing was asked. */
export function parseArping(stdout: string, stderr: string): WhoHasResult {
  const answers = new Map<string, WhoHasAnswer>();
  const add = (mac: string, ms: number) => {
    const lower = mac.toLowerCase();
    if (!answers.has(lower) && answers.size < ANSWERS_MAX)
      answers.set(lower, { mac: lower, ms: Math.round(ms * 1e6) / 1e6 });
  };
  for (const [, mac, time, unit] of stdout.matchAll(HABETS))
    add(mac!, Number(time) * (UNITS[unit!.toLowerCase()] ?? 1));
  for (const [, mac, time] of stdout.matchAll(IPUTILS)) add(mac!, Number(time));
  if (answers.size > 0) return { asked: true, answers: [...answers.values()], detail: null };
  if (/CAP_NET_RAW|not permitted|permission denied|must be root/i.test(stderr)) return unasked(REFUSED);
  const sent = /(\d+) packets transmitted|Sent (\d+) probes/i.exec(stdout);
  if (sent !== null && Number(sent[1] ?? sent[2]) > 0) return { asked: true, answers: [], detail: null };
  const why = stderr.trim().split("\n")[0] ?? "";
  return unasked(`who-has not asked: ${why === "" ? "arping said nothing" : why}`);
}
