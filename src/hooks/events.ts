import type { Context } from "hono";
import type { HairpinEvent } from "../core/event.ts";
import type { HubDeps, Vars } from "./deps.ts";
import { problem } from "./problem.ts";

const PAGE_MAX = 500;
/** A page each on a handful of screens; more would only cost memory. */
const STREAMS_MAX = 32;
/** What a slow reader may leave unread before it is cut off; it asks again with Last-Event-ID and loses nothing. */
const UNREAD_MAX = 256;
const COMMENT_EVERY = 15_000;

const natural = (text: string | undefined): number | null =>
  text === undefined ? null : /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;

/** GET /v1/events?after=SEQ&limit=N, oldest first. Without `after`, the latest. */
export function eventsHook(deps: HubDeps) {
  return (c: Context<Vars>): Response => {
    const after = natural(c.req.query("after"));
    const limit = natural(c.req.query("limit")) ?? 100;
    for (const [path, value] of [
      ["/after", after ?? 0],
      ["/limit", limit],
    ] as const) {
      if (Number.isNaN(value))
        return problem(c, 422, {
          detail: `${path.slice(1)}: a whole number is wanted`,
          errors: [{ path, message: "a whole number is wanted" }],
        });
    }
    const events = deps.hub.events(after ?? -1, Math.min(PAGE_MAX, Math.max(1, limit)));
    return c.json({ events, last: events.at(-1)?.seq ?? after ?? 0 });
  };
}

function frame(event: HairpinEvent): string {
  return `id: ${event.seq}\nevent: ${event.data.event}\ndata: ${JSON.stringify(event)}\n\n`;
}

/** GET /v1/events/stream. `Last-Event-ID` or `after` replays what was missed, so that a reader that comes back sees all of it. */
export function eventStreamHook(deps: HubDeps) {
  let streams = 0;
  return (c: Context<Vars>): Response => {
    if (streams >= STREAMS_MAX)
      return problem(c, 503, { detail: "too many event streams", headers: { "retry-after": "30" } });
    const after = natural(c.req.header("last-event-id") ?? c.req.query("after"));
    const encoder = new TextEncoder();
    let stop = () => {};
    const stream = new ReadableStream<Uint8Array>(
      {
        start(controller) {
          streams++;
          let open = true;
          const send = (text: string) => {
            if (!open) return;
            if ((controller.desiredSize ?? 0) < -UNREAD_MAX) stop();
            else controller.enqueue(encoder.encode(text));
          };
          const unsubscribe = deps.hub.subscribe((event) => send(frame(event)));
          const timer = setInterval(() => send(": still here\n\n"), COMMENT_EVERY);
          stop = () => {
            if (!open) return;
            open = false;
            streams--;
            clearInterval(timer);
            unsubscribe();
            try {
              controller.close();
            } catch {
              // The reader has closed it already.
            }
          };
          send("retry: 3000\n\n");
          if (after !== null && !Number.isNaN(after))
            for (const event of deps.hub.events(after, PAGE_MAX)) send(frame(event));
          c.req.raw.signal.addEventListener("abort", () => stop(), { once: true });
        },
        cancel: () => stop(),
      },
      { highWaterMark: 1 },
    );
    return c.body(stream, 200, {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
    });
  };
}
