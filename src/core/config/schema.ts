import { z } from "zod";
import { parseDuration } from "../units.ts";
import { check, cron, edgeCheck, hostname, ip, path } from "./check-schema.ts";

/**
 * The schema of hairpin.yaml. Every object is strict: an unknown key is an error, because a mistyped `treshold` that is
 * silently ignored is found at three in the morning. Durations carry a unit.
 */
const name = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, "letters, digits, - and _ only, at most 64");
const iface = z.string().regex(/^[A-Za-z0-9_.-]{1,15}$/, "an interface name: at most 15 of letters, digits, . _ -");
const mac = z
  .string()
  .regex(/^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$/, "a MAC address such as f2:5a:5f:84:40:e8")
  .transform((text) => text.toLowerCase());
const url = z.url({ protocol: /^https?$/, error: "an http:// or https:// URL" });
const namespaced = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?\/[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, "namespace/name");

/** A duration with its unit; milliseconds once parsed. */
const duration = z
  .string()
  .refine((text) => parseDuration(text) !== null, "a duration with a unit, such as 30s, 2m or 1h")
  .transform((text) => parseDuration(text) ?? 0);
const defaulted = (fallback: string) => duration.prefault(fallback);

const target = z.strictObject({
  address: z.union([ip, z.array(ip).min(1).max(8)]),
  service: namespaced.optional(),
  link: iface.optional(),
  checks: z.array(check).max(32).default([]),
});

const link = z.strictObject({
  name: iface,
  parent: iface,
  mac,
  mode: z.enum(["bridge", "private", "vepa", "passthru"]).default("bridge"),
  sysctl: z
    .strictObject({
      rp_filter: z.number().int().min(0).max(2).default(0),
      arp_ignore: z.number().int().min(0).max(8).default(1),
    })
    .prefault({}),
  addresses: z.array(z.string().regex(/^[0-9a-fA-F.:]+\/\d{1,3}$/, "an address with its prefix length")).default([]),
  fdb_local: z.boolean().default(true),
  /** Other nodes that may announce, by their MAC. */
  also: z.record(name, mac).default({}),
  host: name.optional(),
  speaker: name.optional(),
});

const speaker = z.strictObject({
  namespace: z.string().default("metallb-system"),
  selector: z.string().max(256).default("app.kubernetes.io/component=speaker"),
  node: z.string().min(1),
  kubeconfig_file: path,
  services: z.array(namespaced).default([]),
});

const listen = z.string().regex(/^(unix:\/.+|\[?[0-9A-Fa-f.:]+\]?:\d{1,5})$/, "ADDRESS:PORT or unix:/path");
const host = z.strictObject({
  listen: listen.default("unix:/run/hairpin/host.sock"),
  armed: z.boolean().default(false),
  guard: z.boolean().default(true),
  journal: path.default("/var/lib/hairpin-host"),
  /** Wanted when `listen` is an address: requests are then signed. */
  key_file: path.optional(),
});

const vantage = z.strictObject({
  where: z.enum(["vm", "lan", "routed", "host"]),
  key_file: path,
  /** Its silence is not told. */
  optional: z.boolean().default(false),
  /** Its observations are kept and shown, and cast no vote. */
  muted: z.boolean().default(false),
  /** Its page may ask for a repair, as `POST /heal` of a person; signed with a key that is derived from its own. */
  heal: z.boolean().default(false),
});

const token = z.strictObject({
  name,
  scopes: z.array(z.enum(["heal", "ack", "read", "pause"])).min(1),
  from: z.array(z.string().regex(/^[0-9a-fA-F.:]+(\/\d{1,3})?$/, "an address or a network")).default([]),
  token_file: path,
});

const hub = z.strictObject({
  listen: z.union([listen, z.array(listen).min(1).max(8)]).default("127.0.0.1:8787"),
  url: url.optional(),
  data: path.default("/var/lib/hairpin"),
  tokens: z.array(token).default([]),
  resolvers: z.array(ip).default([]),
  private: z.boolean().default(false),
  /** Further Host headers that are answered, besides the addresses it listens on. */
  hosts: z.array(z.string()).default([]),
  tls: z.strictObject({ cert_file: path, key_file: path }).optional(),
});

const heal = z.strictObject({
  mode: z.enum(["observe", "auto", "off"]).default("observe"),
  confirm: defaulted("60s"),
  quorum: z.number().int().min(1).max(16).default(2),
  vm_path: z.boolean().default(false),
  budget: z
    .strictObject({
      hour: z.number().int().min(0).max(60).default(3),
      day: z.number().int().min(0).max(240).default(8),
    })
    .prefault({}),
  cool_down: defaulted("2m"),
  grace: defaulted("5m"),
  verify: z.strictObject({ announce: defaulted("15s"), others: defaulted("120s") }).prefault({}),
  flap: z
    .strictObject({
      suppress: z.number().default(2_500),
      reuse: z.number().default(1_200),
      half_life: defaulted("15m"),
    })
    .prefault({}),
});

const topic = z.string().regex(/^[^\s+#/][^\s+#]{0,63}$/, "a topic without spaces, + and #, at most 64 characters");
const mqttEntry = z.strictObject({
  url: z.string().regex(/^mqtts?:\/\/[^\s/?#]+\/?$/, "mqtt://HOST[:PORT] or mqtts://HOST[:PORT]"),
  username: z.string().max(256).optional(),
  password_file: path.optional(),
  /** For mqtts://, when the broker's certificate is signed by an authority of your own. */
  ca_file: path.optional(),
  /** For mqtts:// with an address in the URL: the name in the broker's certificate. */
  server_name: hostname.optional(),
  discovery_prefix: topic.default("homeassistant"),
  /** Where Home Assistant says that it has started; `<discovery_prefix>/status` when absent. */
  birth_topic: topic.optional(),
  topic_prefix: topic.default("hairpin"),
  /** The device's name in Home Assistant: entity ids begin with it. */
  device_name: z
    .string()
    .regex(/^[A-Za-z0-9](?:[A-Za-z0-9 _-]{0,30}[A-Za-z0-9])?$/, "letters, digits, spaces, - and _ only, at most 32")
    .default("Hairpin"),
  /** Whether the buttons and switches are there. Without them the broker can only listen. */
  commands: z.boolean().default(true),
  /** How long the maintenance switch pauses. */
  maintenance: defaulted("1h").refine((millis) => millis >= 60_000 && millis <= 86_400_000, "between 1m and 24h"),
  /** States that are not renewed for so long are unavailable; they are renewed three times in it. */
  expire_after: defaulted("3m").refine((millis) => millis >= 30_000 && millis <= 3_600_000, "between 30s and 1h"),
  protocol: z.enum(["5", "3.1.1"]).default("5"),
  name: name.optional(),
});
const isOverTls = ({ url }: { readonly url: string }): boolean => url.startsWith("mqtts:");
/** Without TLS nobody would look at a certificate, and the login would go out in the open. */
const mqtt = mqttEntry
  .refine((entry) => entry.ca_file === undefined || isOverTls(entry), {
    path: ["ca_file"],
    error: "a url that begins with mqtts:// beside it",
  })
  .refine((entry) => entry.server_name === undefined || isOverTls(entry), {
    path: ["server_name"],
    error: "a url that begins with mqtts:// beside it",
  });

const eventKind = z.string().regex(/^[a-z_]{1,32}$/);
const events = z.array(eventKind).optional();
const notify = z.union(
  [
    z.strictObject({
      home_assistant: z.strictObject({ url, webhook_id_file: path, name: name.optional(), events }),
    }),
    z.strictObject({ mqtt }),
    z.strictObject({
      webhook: z.strictObject({
        name: name.optional(),
        url,
        secret_file: path.optional(),
        events,
        template_file: path.optional(),
      }),
    }),
    z.strictObject({ ntfy: z.strictObject({ url, name: name.optional(), events, token_file: path.optional() }) }),
    z.strictObject({ heartbeat: z.strictObject({ url, every: defaulted("60s"), name: name.optional() }) }),
  ],
  "one of home_assistant, mqtt, webhook, ntfy, heartbeat",
);

const edge = z.strictObject({
  url,
  key_file: path,
  every: defaulted("30s").refine((millis) => millis >= 1_000 && millis <= 3_600_000, "between 1s and 1h"),
  silence: defaulted("3m").refine((millis) => millis >= 1_000 && millis <= 86_400_000, "between 1s and 24h"),
  checks: z.array(edgeCheck).max(16).default([]),
  /** Where the edge itself tells of a house that is dark; `hairpin edge add-site` gives them to it. */
  notify: z
    .array(
      z.union(
        [
          z.strictObject({ ntfy: z.strictObject({ url, token_file: path.optional() }) }),
          z.strictObject({
            webhook: z.strictObject({ url, secret_file: path.optional(), template_file: path.optional() }),
          }),
        ],
        "one of ntfy, webhook",
      ),
    )
    .max(8)
    .default([]),
  /** Whose requests to heal are taken from the edge: each person's own key, which the edge never holds. */
  heal_keys: z
    .array(z.strictObject({ name, key_file: path }))
    .max(16)
    .default([]),
});

export const configSchema = z.strictObject({
  $schema: z.string().optional(),
  site: name,
  schedule: cron.default("*/10 * * * * *"),
  targets: z.record(name, target).default({}),
  link: link.optional(),
  links: z.record(iface, link.omit({ name: true }).strict()).optional(),
  speaker: speaker.optional(),
  speakers: z.record(name, speaker).optional(),
  host: host.optional(),
  hosts: z.record(name, host).optional(),
  vantages: z.record(name, vantage).default({}),
  control: z
    .strictObject({
      gateway: z
        .union([z.literal("auto"), ip])
        .nullable()
        .default("auto"),
      reference: z
        .string()
        .regex(/^\[?[0-9a-fA-F.:]+\]?:\d{1,5}$/, "ADDRESS:PORT")
        .optional(),
    })
    .prefault({}),
  hub: hub.prefault({}),
  heal: heal.prefault({}),
  notify: z.array(notify).default([]),
  edge: edge.optional(),
});

/** The configuration as it is written. */
export type ConfigInput = z.input<typeof configSchema>;
/** The configuration with every default filled in and durations in milliseconds. */
export type Config = z.output<typeof configSchema>;
export type LinkConfig = z.output<typeof link>;
export type SpeakerConfig = z.output<typeof speaker>;
export type HostConfig = z.output<typeof host>;
export type VantageConfig = z.output<typeof vantage>;
export type TokenConfig = z.output<typeof token>;
export type TargetConfig = z.output<typeof target>;
export type CheckConfig = z.output<typeof check>;
export type NotifyConfig = z.output<typeof notify>;
export type MqttConfig = z.output<typeof mqtt>;
export type EdgeConfig = z.output<typeof edge>;
export type HealConfig = z.output<typeof heal>;
