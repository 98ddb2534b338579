import type { SpeakerConfig } from "../core/config/schema.ts";
import type { CommandReport } from "../core/repair.ts";
import { announceFailed, type ClusterSight } from "./cluster.ts";
import type { GuardedLink, HostPorts, KubeL2Status } from "./port.ts";

export interface StepOutcome {
  readonly ok: boolean;
  readonly commands: readonly CommandReport[];
  readonly detail: string | null;
  readonly advice: string | null;
}

/**
 * One gratuitous ARP for an address, from the link itself, by Thomas Habets' arping. The status is 1 although it was sent, since
 * nobody answers; a failure is what it prints (facts/l2). iputils cannot do it: it binds the address.
 */
export function announceCommand(address: string, link: string): readonly string[] {
  return ["-q", "-U", "-c", "1", "-w", "0.01", "-S", address, "-i", link, address];
}

/**
 * Makes clients and switches learn the MAC again. Only the node that announces an address may send for it: the ServiceL2Status
 * says who that is, and without one only a house that declares no other node. Where the speaker itself has given up (no status,
 * or a failed announcement), the annotation makes MetalLB announce again.
 */
export async function announce(
  id: string,
  guarded: GuardedLink,
  speaker: SpeakerConfig | null,
  sight: ClusterSight | null,
  ports: HostPorts,
): Promise<StepOutcome> {
  const commands: CommandReport[] = [];
  const notes: string[] = [];
  let sent = 0;
  let failed = 0;
  for (const target of guarded.targets) {
    const other = announcedByOther(target.service, guarded, speaker, sight);
    for (const address of target.addresses) {
      if (other !== null) {
        notes.push(`${address} left alone: ${other}`);
        continue;
      }
      if (address.includes(":")) {
        notes.push(`${address} left alone: IPv6 has no gratuitous ARP`);
        continue;
      }
      const report = await ports.processes.run("arping", announceCommand(address, guarded.link.name));
      commands.push(report);
      const isSent = (report.exit === 0 || report.exit === 1) && report.output.trim() === "";
      if (isSent) sent++;
      else {
        failed++;
        notes.push(`${address}: ${firstLine(report.output) || "arping failed"}`);
      }
    }
  }
  const annotated = await annotateSilent(id, speaker, sight, ports);
  notes.push(...annotated.notes);
  const ok = failed === 0 ? sent > 0 || annotated.done > 0 : annotated.done > 0;
  const advice =
    ok || failed === 0
      ? null
      : `arping ${announceCommand(guarded.targets[0]?.addresses[0] ?? "ADDRESS", guarded.link.name).join(" ")}`;
  return { ok, commands: [...commands, ...annotated.commands], detail: notes.join("; ") || null, advice };
}

/** Why this node must not speak for the address; null when it may. */
function announcedByOther(
  service: string | null,
  guarded: GuardedLink,
  speaker: SpeakerConfig | null,
  sight: ClusterSight | null,
): string | null {
  const statuses = sight?.statuses ?? null;
  const others = Object.keys(guarded.link.also);
  if (service !== null && statuses !== null && speaker !== null) {
    const named: readonly KubeL2Status[] = statuses.filter((status) => status.service === service);
    if (named.some((status) => status.node === speaker.node)) return null;
    if (named.length > 0) return `node ${named[0]!.node} announces it`;
  }
  return others.length === 0
    ? null
    : `${others.join(", ")} may announce it too, and no ServiceL2Status says that this node does`;
}

async function annotateSilent(id: string, speaker: SpeakerConfig | null, sight: ClusterSight | null, ports: HostPorts) {
  const commands: CommandReport[] = [];
  const notes: string[] = [];
  let done = 0;
  if (speaker === null || ports.kubernetes === null || speaker.services.length === 0) return { commands, notes, done };
  if (sight === null || sight.reachable !== true) {
    notes.push("no annotation: Kubernetes does not answer");
    return { commands, notes, done };
  }
  if (sight.statuses === null) {
    notes.push("no annotation: ServiceL2Status objects may not be read");
    return { commands, notes, done };
  }
  const failing = announceFailed(sight, speaker) ?? [];
  for (const service of speaker.services) {
    const named = sight.statuses.filter((status) => status.service === service);
    const here = named.some((status) => status.node === speaker.node);
    if (here ? !failing.includes(service) : named.length > 0) continue;
    const started = ports.clock.mono();
    const answer = await ports.kubernetes.annotate(service, id);
    const exit = answer.ok ? 0 : answer.status;
    const argv = ["kubernetes", "annotate", `service/${service}`, `hairpin.dev/announce=${id}`];
    commands.push({
      argv,
      ms: Math.round(ports.clock.mono() - started),
      exit,
      output: answer.ok ? "" : answer.detail.slice(0, 4_096),
    });
    if (answer.ok) done++;
    else
      notes.push(
        answer.status === 403
          ? `${service} not annotated: the right to patch it was not given`
          : `${service} not annotated: ${answer.detail}`,
      );
  }
  return { commands, notes, done };
}

function firstLine(text: string): string {
  return text.trim().split("\n")[0]!.slice(0, 200);
}
