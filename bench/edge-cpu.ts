/**
 * The CPU of one heartbeat by the runtime's own measure: V8's sampling profiler in workerd, reached by its inspector. It covers the
 * Worker and the site's object, which share one isolate here; what Cloudflare puts on the bill is the same script's time.
 */
interface Profile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: { readonly functionName: string } }[];
  readonly samples: readonly number[];
  /** Microseconds since the sample before. */
  readonly timeDeltas: readonly number[];
}

export interface CpuMeasure {
  /** Milliseconds a heartbeat in JavaScript, with the garbage collector. */
  readonly script: number;
  /** And with native code: SQLite, WebCrypto, JSON, HTTP. */
  readonly whole: number;
}

const SAMPLE_MICROS = 100;
const IDLE = new Set(["(root)", "(idle)"]);

type Call = (method: string, params?: object) => Promise<{ readonly profile?: Profile }>;

async function inspectorOf(url: string): Promise<{ readonly call: Call; readonly close: () => void }> {
  const [target] = (await (await fetch(new URL("/json", url))).json()) as readonly { webSocketDebuggerUrl: string }[];
  // The proxy before the inspector lets only pages of this machine in.
  const socket = new WebSocket(target!.webSocketDebuggerUrl, { headers: { origin: "http://127.0.0.1" } } as never);
  const waiting = new Map<number, (result: { readonly profile?: Profile }) => void>();
  socket.onmessage = ({ data }) => {
    const { id, result } = JSON.parse(String(data)) as { id?: number; result?: { profile?: Profile } };
    if (id !== undefined && result !== undefined) waiting.get(id)?.(result);
  };
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve();
    socket.onerror = () => reject(new Error("the inspector lets nobody in"));
  });
  let last = 0;
  const call: Call = (method, params = {}) =>
    new Promise((resolve) => {
      const id = ++last;
      waiting.set(id, resolve);
      socket.send(JSON.stringify({ id, method, params }));
    });
  return { call, close: () => socket.close() };
}

/** Runs `work` so many times against the Worker of wrangler.toml, and divides what the profiler saw by it. */
export async function measureCpu(
  root: string,
  variables: Readonly<Record<string, string>>,
  times: number,
  prepare: (url: string) => Promise<void>,
  work: (url: string) => Promise<void>,
): Promise<CpuMeasure> {
  const { unstable_startWorker: startWorker } = await import("wrangler");
  const bindings = Object.fromEntries(
    Object.entries(variables).map(([name, value]) => [name, { type: "plain_text" as const, value }]),
  );
  const loopback = { hostname: "127.0.0.1", port: 0 };
  const worker = await startWorker({
    config: `${root}wrangler.toml`,
    env: "",
    dev: { server: loopback, inspector: loopback, watch: false, persist: false },
    bindings,
  });
  try {
    await worker.ready;
    const url = (await worker.url).origin;
    await prepare(url);
    for (let index = 0; index < times; index++) await work(url);
    const { call, close } = await inspectorOf(String(await worker.inspectorUrl));
    await call("Profiler.enable");
    await call("Profiler.setSamplingInterval", { interval: SAMPLE_MICROS });
    await call("Profiler.start");
    for (let index = 0; index < times; index++) await work(url);
    const { profile } = await call("Profiler.stop");
    close();
    return shareOf(profile!, times);
  } finally {
    await worker.dispose();
  }
}

function shareOf({ nodes, samples, timeDeltas }: Profile, times: number): CpuMeasure {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, callFrame.functionName]));
  let script = 0;
  let native = 0;
  samples.forEach((id, index) => {
    const name = names.get(id) ?? "";
    const micros = timeDeltas[index + 1] ?? 0;
    if (name === "(program)") native += micros;
    else if (!IDLE.has(name)) script += micros;
  });
  return { script: script / 1_000 / times, whole: (script + native) / 1_000 / times };
}
