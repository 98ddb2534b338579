import type { Millis } from "../core/units.ts";
import { failureOf, isOnLink } from "./classify.ts";
import { type Finding, failed, passed } from "./finding.ts";
import type { ProbePorts } from "./port.ts";

/** One try (safety.md, "Votes"): longer than the first retransmission of a SYN, which comes after 1 s. */
export const CONNECT_TIMEOUT: Millis = 1_500;

/** Opens a connection and closes it again: whether something listens, and nothing of what it says. */
export async function askTcp(
  address: string,
  port: number,
  ports: Pick<ProbePorts, "tcp" | "neighbours" | "clock">,
  signal: AbortSignal,
  timeout: Millis = CONNECT_TIMEOUT,
): Promise<Finding> {
  const began = ports.clock.mono();
  const answer = await ports.tcp.connect(address, port, timeout, signal);
  if (answer.ok) return passed(null, { ms: answer.value, phases: { connect: answer.value } });
  const ms = ports.clock.mono() - began;
  if (signal.aborted) return failed("no_reply", "given up", { ms });
  const view = await ports.neighbours.read(address);
  const evidence = { mac: view.mac, neighbour_state: view.state, on_link: isOnLink(view), errno: answer.fault.errno };
  return failed(failureOf(answer.fault, view), answer.fault.message, { ms, phases: { connect: null }, evidence });
}
