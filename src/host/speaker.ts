import type { SpeakerConfig } from "../core/config/schema.ts";
import type { CommandReport } from "../core/repair.ts";
import { type Millis, SECOND, sayDuration } from "../core/units.ts";
import type { StepOutcome } from "./announce.ts";
import type { HostPorts } from "./port.ts";

/** A pod of a DaemonSet is there again in some seconds; a node that pulls the image needs a minute. */
const SUCCESSOR_MAX: Millis = 60 * SECOND;
const ASK_AGAIN: Millis = 500;
/** More speaker pods than this on one node is a selector that names something else. */
const PODS_MAX = 4;

/** What a person types to do the same. */
export function adviceToRestart(speaker: SpeakerConfig): string {
  return `kubectl -n ${speaker.namespace} delete pod -l ${speaker.selector} --field-selector spec.nodeName=${speaker.node}`;
}

/**
 * Deletes this node's speaker pods and waits for a ready successor. Never while the API is away (the gate sees to that): a new
 * speaker exits without it, while the old one goes on answering (facts/l2, F15).
 */
export async function restartSpeaker(speaker: SpeakerConfig, ports: HostPorts): Promise<StepOutcome> {
  const commands: CommandReport[] = [];
  const kubernetes = ports.kubernetes;
  const advice = adviceToRestart(speaker);
  const give = (ok: boolean, detail: string): StepOutcome => ({ ok, commands, detail, advice: ok ? null : advice });
  if (kubernetes === null) return give(false, "no speaker is declared");

  const listed = await kubernetes.pods(speaker.node);
  if (!listed.ok) return give(false, `the speaker's pods cannot be listed: ${listed.detail}`);
  const old = listed.value.filter((pod) => pod.node === speaker.node);
  const where = `of ${speaker.selector} in ${speaker.namespace} on node ${speaker.node}`;
  if (old.length === 0) return give(false, `no pod ${where}: nothing to restart`);
  if (old.length > PODS_MAX)
    return give(false, `${old.length} pods ${where}: more than ${PODS_MAX}, so the selector names something else`);
  for (const pod of old.filter((candidate) => !candidate.terminating)) {
    const started = ports.clock.mono();
    const answer = await kubernetes.deletePod(pod.name, pod.uid);
    const exit = answer.ok ? 0 : answer.status;
    commands.push({
      argv: ["kubernetes", "delete", `pod/${speaker.namespace}/${pod.name}`],
      ms: Math.round(ports.clock.mono() - started),
      exit,
      output: answer.ok ? "" : answer.detail.slice(0, 4_096),
    });
    // Gone already (404), or replaced meanwhile (409): what was wanted.
    if (!answer.ok && answer.status !== 404 && answer.status !== 409) {
      const why = answer.status === 403 ? "the right to delete pods was not given" : answer.detail;
      return give(false, `${pod.name} was not deleted: ${why}`);
    }
  }

  const gone = new Set(old.map((pod) => pod.uid));
  const started = ports.clock.mono();
  for (;;) {
    const now = await kubernetes.pods(speaker.node);
    const successor = now.ok
      ? now.value.find(
          (pod) => pod.node === speaker.node && !gone.has(pod.uid) && pod.ready === true && !pod.terminating,
        )
      : undefined;
    const waited = ports.clock.mono() - started;
    if (successor !== undefined) return give(true, `${successor.name} is ready after ${sayDuration(waited)}`);
    if (waited >= SUCCESSOR_MAX)
      return give(
        false,
        `no ready speaker on node ${speaker.node} ${sayDuration(SUCCESSOR_MAX)} after the old one was deleted`,
      );
    await new Promise<void>((resolve) => void ports.clock.after(ASK_AGAIN, resolve));
  }
}
