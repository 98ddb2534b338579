import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectAsync, type IClientOptions } from "mqtt";

/** Debian keeps it where an ordinary user's PATH does not lead. */
export const MOSQUITTO: string | null =
  ["/usr/sbin/mosquitto", "/usr/bin/mosquitto", "/usr/local/sbin/mosquitto"].find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  }) ?? null;
export const NO_MOSQUITTO = MOSQUITTO === null && "mosquitto is not installed: apt-get install mosquitto";

export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

export interface RealBroker {
  readonly port: number;
  readonly child: ChildProcess;
  /** Kills it; it can be started again. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Kills it for good. */
  stop(): Promise<void>;
}

/** A real Mosquitto on loopback, without persistence: what it held is gone when it is started again. */
export async function realBroker(
  users: Readonly<Record<string, string>> = {},
  tls: { readonly certificate: string; readonly key: string } | null = null,
): Promise<RealBroker> {
  const dir = mkdtempSync(join(tmpdir(), "hairpin-mosquitto-"));
  const port = await freePort();
  const lines = [`listener ${port} 127.0.0.1`, "persistence false"];
  if (Object.keys(users).length === 0) lines.push("allow_anonymous true");
  else {
    const file = join(dir, "passwords");
    writeFileSync(file, "", { mode: 0o600 });
    for (const [user, password] of Object.entries(users))
      execFileSync("mosquitto_passwd", ["-b", file, user, password], { stdio: "ignore" });
    lines.push(`password_file ${file}`, "allow_anonymous false");
  }
  if (tls !== null) {
    for (const [name, pem] of [
      ["certfile", tls.certificate],
      ["keyfile", tls.key],
    ] as const) {
      writeFileSync(join(dir, name), pem, { mode: 0o600 });
      lines.push(`${name} ${join(dir, name)}`);
    }
  }
  // Started as root it would give its rights away, and then not read its own files.
  if (process.getuid?.() === 0) lines.push("user root");
  const config = join(dir, "mosquitto.conf");
  writeFileSync(config, `${lines.join("\n")}\n`);
  const broker = {
    port,
    child: null as unknown as ChildProcess,
    async start() {
      const child = spawn(MOSQUITTO!, ["-c", config], { stdio: ["ignore", "ignore", "pipe"] });
      broker.child = child;
      await new Promise<void>((resolve, reject) => {
        let said = "";
        child.stderr!.setEncoding("utf8").on("data", (chunk: string) => {
          said += chunk;
          if (/mosquitto version \S+ running/.test(said)) resolve();
        });
        child.once("exit", () => reject(new Error(`mosquitto ended: ${said}`)));
      });
      child.stderr!.resume();
    },
    async kill() {
      const { child } = broker;
      if (child.exitCode === null && child.signalCode === null) {
        const gone = new Promise((resolve) => child.once("exit", resolve));
        child.kill("SIGKILL");
        await gone;
      }
    },
  };
  await broker.start();
  return {
    get port() {
      return broker.port;
    },
    get child() {
      return broker.child;
    },
    start: broker.start,
    kill: broker.kill,
    async stop() {
      await broker.kill();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

export interface Heard {
  readonly topic: string;
  readonly payload: string;
  readonly retain: boolean;
  readonly expiry: number | null;
  readonly at: number;
}

/** Another client of the broker, which records what it hears: Home Assistant's place in these tests. */
export async function listener(port: number, filter: string | readonly string[] = "#", options: IClientOptions = {}) {
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`, {
    protocolVersion: 5,
    reconnectPeriod: 100,
    ...options,
  });
  const heard: Heard[] = [];
  const waiting: (() => void)[] = [];
  client.on("message", (topic, payload, packet) => {
    const expiry = packet.properties?.messageExpiryInterval ?? null;
    heard.push({ topic, payload: payload.toString(), retain: packet.retain, expiry, at: performance.now() });
    for (const wake of waiting.splice(0)) wake();
  });
  await client.subscribeAsync([...[filter].flat()], { qos: 1 });
  const until = async (wanted: (heard: Heard) => boolean, after = 0): Promise<Heard> => {
    for (;;) {
      const found = heard.slice(after).find(wanted);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
  };
  return {
    client,
    heard,
    until,
    /** The first message with this topic and payload, from the n-th heard on. */
    says: (topic: string, payload: string, after = 0) =>
      until((one) => one.topic === topic && one.payload === payload, after),
    last: (topic: string) => heard.findLast((one) => one.topic === topic) ?? null,
    publish: (topic: string, payload: string, retain = false) =>
      client.publishAsync(topic, payload, { qos: 1, retain }),
    close: () => client.endAsync(true),
  };
}
