import type { JoinToken } from "../core/plan.ts";
import { plain } from "../core/text.ts";
import type { Millis, WallMillis } from "../core/units.ts";
import type { ViewedHub } from "../core/vantage-view.ts";
import type { Clock } from "../probes/port.ts";
import type { HubLine, HubReply } from "./vantage-port.ts";

const DETAIL_MAX = 200;

/** Whether the hub answers, as the lines that a vantage has open anyway show it: nothing more is sent to find out. */
export interface HubWatch {
  /** The same line, with each of its answers noted. */
  watched(line: HubLine): HubLine;
  /** For how long it has not answered as it should; null: it does. */
  badFor(): Millis | null;
  shown(): ViewedHub;
}

type Verdict = { readonly state: "answers" } | { readonly state: "silent" | "refuses"; readonly detail: string };

/** 401 is a hub that this vantage is cut off from; other refusals are about one message and say that the hub is there. */
function judge(reply: HubReply): Verdict {
  if (reply.status === null) return { state: "silent", detail: plain(reply.detail ?? "no answer", DETAIL_MAX) };
  if (reply.status === 401) return { state: "refuses", detail: "the hub refuses this vantage's key (401)" };
  if (reply.status >= 500) return { state: "silent", detail: `the hub answers ${reply.status}` };
  return { state: "answers" };
}

export function watchHub(clock: Pick<Clock, "mono" | "wall">, token: Pick<JoinToken, "hub">): HubWatch {
  let badSince: Millis | null = clock.mono();
  let answeredAt: WallMillis | null = null;
  let latest: Verdict | null = null;

  function note(reply: HubReply): void {
    latest = judge(reply);
    if (latest.state === "answers") {
      badSince = null;
      answeredAt = clock.wall();
    } else badSince ??= clock.mono();
  }

  return {
    watched: (line) => ({
      async send(request, signal) {
        const reply = await line.send(request, signal);
        // A request that was taken back says nothing of the hub.
        if (!(signal.aborted && reply.status === null)) note(reply);
        return reply;
      },
    }),
    badFor: () => (badSince === null ? null : clock.mono() - badSince),
    shown: () => ({
      url: token.hub,
      state: latest?.state ?? "waiting",
      answered_at: answeredAt === null ? null : new Date(answeredAt).toISOString(),
      detail: latest === null || latest.state === "answers" ? null : latest.detail,
    }),
  };
}
