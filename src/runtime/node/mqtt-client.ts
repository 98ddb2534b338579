import { randomBytes, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import { resolve as resolvePath } from "node:path";
import type { IClientOptions, MqttClient } from "mqtt";
import type { House } from "../../core/config/house.ts";
import type { MqttConfig } from "../../core/config/schema.ts";
import type { Broker, BrokerConnection, BrokerEars, Publication } from "../../engine/hub-ports.ts";
import type { HubResolver } from "./hub-resolver.ts";
import { open } from "./hub-send.ts";
import { secureBroker } from "./mqtt-tls.ts";
import { readPassword, SecretError } from "./secret-file.ts";

/** Seconds. Home Assistant then knows after half a minute at most that a hung hub is gone (facts/home-assistant.md, 3.10). */
const KEEPALIVE_S = 15;
/** Commands are words: the broker itself throws away what is larger. */
const PACKET_MAX = 2_048;
const RECEIVE_MAX = 16;
/** A broker that speaks 3.1.1 does not say how many it takes at once. */
const IN_FLIGHT_DEFAULT = 10;

/** The way to a broker, with the secrets of its entry. */
export interface BrokerAccess {
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly ca: string | undefined;
  readonly serverName: string | undefined;
  readonly protocol: MqttConfig["protocol"];
}

/** Reads an entry's URL and files. Throws SecretError for one that must not be used. */
export function accessOf(settings: MqttConfig, dir: string): BrokerAccess {
  const url = new URL(settings.url.replace(/^mqtt/, "http"));
  const isTls = settings.url.startsWith("mqtts:");
  const own = url.password === "" ? undefined : decodeURIComponent(url.password);
  const file = settings.password_file;
  return {
    host: url.hostname.replace(/^\[|\]$/g, ""),
    // As http and https, 80 and 443 would be taken for the default and be gone.
    port: Number(/:(\d{1,5})\/?$/.exec(settings.url)?.[1] ?? (isTls ? 8_883 : 1_883)),
    isTls,
    username: settings.username ?? (url.username === "" ? undefined : decodeURIComponent(url.username)),
    password: file === undefined ? own : readPassword(resolvePath(dir, file)),
    ca: settings.ca_file === undefined ? undefined : readCa(resolvePath(dir, settings.ca_file)),
    serverName: settings.server_name,
    protocol: settings.protocol,
  };
}

function readCa(path: string): string {
  let pem: string;
  try {
    pem = readFileSync(path, "utf8");
  } catch (error) {
    throw new SecretError(path, `the certificate ${path} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  try {
    new X509Certificate(pem);
  } catch {
    // The TLS library would go on without it, and then trust nobody.
    throw new SecretError(path, `${path} holds no certificate in PEM form`);
  }
  return pem;
}

/** The brokers of `notify`. The library is loaded with the first connection, so that a house without MQTT does not pay for it. */
export function brokersOf(house: House, dir: string, resolver: HubResolver): readonly Broker[] {
  const entries = house.notify.flatMap((entry) => ("mqtt" in entry ? [entry.mqtt] : []));
  return entries.map((settings, index): Broker => {
    const access = accessOf(settings, dir);
    // A new one for each process: two hubs of one site would otherwise throw each other out for ever.
    const clientId = `hairpin_${house.site}_${randomBytes(4).toString("hex")}`.slice(-64);
    return {
      name: settings.name ?? (index === 0 ? "mqtt" : `mqtt-${index + 1}`),
      settings,
      connect: (will, ears, signal) => connectBroker(access, resolver, { clientId, will, ears, signal }),
    };
  });
}

export interface Session {
  readonly clientId: string;
  /** How large a message may be; a command's size unless said otherwise. */
  readonly packetMax?: number;
  readonly will?: Publication;
  readonly ears: BrokerEars;
  readonly signal: AbortSignal;
}

/** Connects once; the caller tries again. Rejects with words that hold no secret. */
export async function connectBroker(
  access: BrokerAccess,
  resolver: HubResolver,
  session: Session,
): Promise<BrokerConnection> {
  const { signal } = session;
  const [{ MqttClient: Client }, stream] = await Promise.all([import("mqtt"), streamTo(access, resolver, signal)]);
  return await new Promise<BrokerConnection>((resolve, reject) => {
    let detail = "";
    const onAbort = () => {
      detail = "no answer of a broker in 10 s";
      client.end(true);
      stream.destroy();
    };
    const client = new Client(() => stream, optionsOf(access, session));
    const closed = (reason: string) => {
      signal.removeEventListener("abort", onAbort);
      reject(new Error(reason));
      session.ears.closed(reason);
    };
    client.on("error", (error) => {
      detail ||= sayRefusal(error);
      // A refused login is told by a packet; the broker may leave the rest to us.
      client.end(true);
    });
    client.on("disconnect", (packet) => {
      detail ||= `the broker ended the connection (reason ${packet.reasonCode ?? 0})`;
    });
    client.once("close", () => closed(detail || "the connection ended"));
    client.on("message", (topic, payload, packet) => {
      session.ears.message({
        topic,
        payload: payload.toString("utf8", 0, session.packetMax ?? PACKET_MAX),
        retain: packet.retain,
      });
    });
    client.once("connect", (packet) => {
      signal.removeEventListener("abort", onAbort);
      resolve(connectionOf(client, packet.properties?.receiveMaximum ?? IN_FLIGHT_DEFAULT, access.protocol === "5"));
    });
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
}

function optionsOf(access: BrokerAccess, { clientId, will, packetMax = PACKET_MAX }: Session): IClientOptions {
  const isNew = access.protocol === "5";
  const { username, password } = access;
  return {
    protocolVersion: isNew ? 5 : 4,
    clientId,
    clean: true,
    keepalive: KEEPALIVE_S,
    reconnectPeriod: 0,
    connectTimeout: 9_000,
    resubscribe: false,
    queueQoSZero: false,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(will === undefined
      ? {}
      : { will: { topic: will.topic, payload: Buffer.from(will.payload), qos: 1 as const, retain: will.retain } }),
    ...(isNew ? { properties: { maximumPacketSize: packetMax, receiveMaximum: RECEIVE_MAX } } : {}),
  };
}

function connectionOf(client: MqttClient, inFlightMax: number, isNew: boolean): BrokerConnection {
  return {
    inFlightMax,
    publish: ({ topic, payload, retain, expiry }) =>
      new Promise((resolve, reject) => {
        const properties = isNew && expiry !== null ? { properties: { messageExpiryInterval: expiry } } : {};
        client.publish(topic, payload, { qos: 1, retain, ...properties }, (error) => {
          if (error === undefined || error === null) resolve(null);
          else if (isRefusal(error)) resolve(error.message);
          else reject(error);
        });
      }),
    subscribe: (filters) =>
      new Promise((resolve, reject) => {
        client.subscribe([...filters], { qos: 1, ...(isNew ? { rap: true, rh: 0 } : {}) }, (error, granted) => {
          if (error != null && !isRefusal(error)) return reject(error);
          const refused = (granted ?? []).filter(({ qos }) => qos >= 128).map(({ topic }) => topic);
          resolve(error != null ? error.message : refused.length === 0 ? null : `refused: ${refused.join(" ")}`);
        });
      }),
    close: () => client.endAsync(),
    drop: () => void client.end(true),
  };
}

/** An answer of the broker with a reason code: the connection is as good as before. */
const isRefusal = (error: Error): boolean => typeof (error as { code?: unknown }).code === "number";

/** MQTT's own words for a refused login say little; the rest of an error holds no secret. */
function sayRefusal(error: Error): string {
  const { code, message } = error as { code?: unknown; message: string };
  const badLogin = code === 4 || code === 5 || code === 134 || code === 135;
  if (badLogin) return `the broker refuses the login: ${message.replace(/^Connection refused: /, "")}`;
  if (code === 1 || code === 132) return 'the broker knows no MQTT 5: say protocol: "3.1.1"';
  return typeof code === "string" && !message.includes(code) ? `${code}: ${message}` : message;
}

async function streamTo(access: BrokerAccess, resolver: HubResolver, signal: AbortSignal): Promise<Socket> {
  const addresses = await resolver.resolve(access.host);
  const socket = await open(addresses, access.port, signal);
  socket.setNoDelay(true);
  if (!access.isTls) return socket;
  const { host, port, serverName = null, ca = null } = access;
  return await secureBroker(socket, { host, port, serverName, ca }, signal);
}
