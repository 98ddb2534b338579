import { isIpv6 } from "../core/address.ts";
import type { Observation } from "../core/observation.ts";
import type { Plan } from "../core/plan.ts";
import type { Millis } from "../core/units.ts";
import { isAbsent } from "./classify.ts";
import { encodeQuery } from "./dns-message.ts";
import { plain } from "./finding.ts";
import type { ProbePorts } from "./port.ts";

export type Control = Observation["control"];

const CONTROL_TIMEOUT: Millis = 1_000;
/** A port where hardly anything listens: the refusal is the answer (RFC 863). */
const DISCARD = 9;
const TRIES = 2;

/** Null: nothing to measure by. False: asked, and no answer. */
interface Sign {
  readonly alive: boolean | null;
  readonly ms: Millis | null;
  readonly what: string;
}

/**
 * This machine's own path, on-link only. Any sign of life proves it, because the question is whether this vantage can see at all;
 * a reference that is down by itself must not cost the vantage its vote. The state of the Internet is no part of it.
 */
export async function askControl(
  control: Plan["control"],
  guarded: readonly string[],
  ports: ProbePorts,
  signal: AbortSignal,
): Promise<Control> {
  const wanted = control.gateway === "auto" ? await ports.neighbours.gateway() : control.gateway;
  // A guarded address proves nothing: the path would be called broken by the very outage that is to be seen.
  const gateway = wanted === null || guarded.includes(wanted) ? null : wanted;
  const [toGateway, toReference] = await Promise.all([
    gateway === null ? none : askGateway(gateway, ports, signal),
    control.reference === null ? none : askReference(control.reference, ports, signal),
  ]);
  const signs = [toGateway, toReference].filter((sign) => sign.alive !== null);
  const ok = signs.length === 0 ? null : signs.some((sign) => sign.alive);
  const silent = signs.filter((sign) => sign.alive === false).map((sign) => sign.what);
  return {
    ok,
    gateway_ms: toGateway.ms,
    reference_ms: toReference.ms,
    detail:
      silent.length > 0
        ? plain(`no answer from ${silent.join(" and ")}`)
        : ok === null
          ? "nothing to measure by"
          : null,
  };
}

const none: Sign = { alive: null, ms: null, what: "" };

async function askGateway(address: string, ports: ProbePorts, signal: AbortSignal): Promise<Sign> {
  const what = `the gateway ${address}`;
  const view = await ports.neighbours.read(address);
  if (view.way === "gateway" || view.way === "local") return none;
  const began = ports.clock.mono();
  for (let count = 0; count < TRIES && view.device !== null && !isIpv6(address) && !signal.aborted; count++) {
    const asked = await ports.whoHas.ask(address, view.device, signal);
    if (!asked.asked) return pokeGateway(address, ports, signal);
    if (asked.answers.length > 0) return { alive: true, ms: asked.answers[0]!.ms ?? ports.clock.mono() - began, what };
  }
  return view.device !== null && !isIpv6(address)
    ? { alive: false, ms: null, what }
    : pokeGateway(address, ports, signal);
}

/** Without the right to ask: a connection makes the kernel ask, and either the gateway refuses it or the table tells. */
async function pokeGateway(address: string, ports: ProbePorts, signal: AbortSignal): Promise<Sign> {
  const what = `the gateway ${address}`;
  const began = ports.clock.mono();
  const poked = await ports.tcp.connect(address, DISCARD, CONTROL_TIMEOUT, signal);
  if (poked.ok || poked.fault.errno === "ECONNREFUSED") return { alive: true, ms: ports.clock.mono() - began, what };
  const view = await ports.neighbours.read(address);
  if (isAbsent(view) || poked.fault.errno === "EHOSTUNREACH" || poked.fault.errno === "ENETUNREACH")
    return { alive: false, ms: null, what };
  return { alive: view.state === "REACHABLE" ? true : null, ms: null, what };
}

async function askReference(reference: string, ports: ProbePorts, signal: AbortSignal): Promise<Sign> {
  const what = `the reference ${reference}`;
  const [, bracketed, bare, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(reference) ?? [];
  const address = bracketed ?? bare;
  if (address === undefined) return none;
  for (let count = 0; count < TRIES && !signal.aborted; count++) {
    const began = ports.clock.mono();
    const answer =
      port === "53"
        ? await askResolver(address, ports, signal)
        : await ports.tcp.connect(address, Number(port), CONTROL_TIMEOUT, signal);
    if (answer.ok || answer.fault.errno === "ECONNREFUSED")
      return { alive: true, ms: ports.clock.mono() - began, what };
  }
  return { alive: false, ms: null, what };
}

/** Any answer will do, a refusal too: only the path is in question. */
function askResolver(address: string, ports: ProbePorts, signal: AbortSignal) {
  const id = ports.chance.uint16();
  const request = {
    address,
    port: 53,
    transport: "udp",
    query: encodeQuery(id, ".", "NS"),
    timeout: CONTROL_TIMEOUT,
  } as const;
  return ports.dns.exchange(
    request,
    (message) => message.length >= 12 && ((message[0]! << 8) | message[1]!) === id,
    signal,
  );
}
