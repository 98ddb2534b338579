/** The IPC channel between a stand-in and the director. Every stand-in is a process of its own in a namespace of the house. */

export interface Said {
  readonly what: string;
  readonly [key: string]: unknown;
}

export function say(message: Said): void {
  if (process.connected) process.send?.(message);
}

/**
 * Calls `begin` with the first message, says `ready` when it is through, and hands every later message to the handler it returned.
 * Without its director a stand-in has nothing to stand in for, so it ends with the channel.
 */
export function serve<Init, Order>(begin: (init: Init) => Promise<(order: Order) => Promise<void> | void>): void {
  let handler: Promise<(order: Order) => Promise<void> | void> | null = null;
  let queue: Promise<unknown> = Promise.resolve();
  process.on("disconnect", () => process.exit(0));
  process.on("message", (message: { id?: number; init?: Init; order?: Order }) => {
    if (handler === null) {
      handler = begin(message.init as Init);
      handler.then(() => say({ what: "ready" }), fail);
      return;
    }
    const ready = handler;
    // One order after the other: closing a listener and opening it again must not overtake each other.
    queue = queue
      .then(async () => (await ready)(message.order as Order))
      .then(() => say({ what: "done", id: message.id ?? 0 }), fail);
  });
}

function fail(error: unknown): void {
  say({ what: "failed", detail: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  process.exitCode = 70;
  setImmediate(() => process.exit(70));
}
