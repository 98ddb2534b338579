import { z } from "zod";
import { resolverOf } from "./edge-checks.ts";

/** What a check of hairpin.yaml may say. Strict like all of the schema. */
const ipv4 = z.ipv4("an IPv4 address");
export const ip = z.union([ipv4, z.ipv6()], "an IP address");
export const path = z.string().min(1).max(4_096);
const port = z.number().int().min(1).max(65_535);
export const cron = z.string().regex(/^\S+( \S+){5}$/, "cron with six fields, seconds first, such as */10 * * * * *");
export const hostname = z.string().regex(/^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/, "a host name");

/** Compared letter by letter: an expression of a stranger could take for ever. */
const words = z.array(z.string().min(1).max(1_024)).min(1).max(16);
const textRule = z.strictObject({
  equals: z.string().max(4_096).optional(),
  contains: words.optional(),
  lacks: words.optional(),
});
const dnsCheck = z.strictObject({
  name: z.string().min(1).max(253),
  type: z
    .string()
    .regex(/^[A-Z0-9]{1,10}$/)
    .default("A"),
  expect: z.array(z.string().max(512)).optional(),
  transport: z.enum(["udp", "tcp", "tls"]).default("udp"),
  server_name: hostname.optional(),
  ca_file: path.optional(),
  ad: z.boolean().optional(),
  rrsig: z.boolean().optional(),
  as_system: z.boolean().optional(),
  upstream: z.boolean().default(false),
  port: port.default(53),
  schedule: cron.optional(),
});
const headerRules = z.record(z.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/, "the name of a header"), textRule);
const httpsCheck = z.strictObject({
  host: hostname,
  path: z.string().startsWith("/").max(2_048).default("/"),
  port: port.default(443),
  status: z.array(z.number().int().min(100).max(599)).min(1).default([200]),
  ca_file: path.optional(),
  cert_days_min: z.number().int().min(0).max(3_650).default(14),
  body: textRule.optional(),
  headers: headerRules.optional(),
  schedule: cron.optional(),
});
const oidcCheck = z.strictObject({
  issuer: z.url({ protocol: /^https$/, error: "an https:// URL" }),
  algorithm: z
    .string()
    .regex(/^[A-Za-z0-9]{2,16}$/, "a signing algorithm such as RS256")
    .optional(),
  port: port.optional(),
  ca_file: path.optional(),
  schedule: cron.optional(),
});
const tcpCheck = z.strictObject({ port, schedule: cron.optional() });

/** Each check is an object with exactly one key, its kind. */
export const check = z.union(
  [
    z.strictObject({
      dns: dnsCheck
        .refine(({ as_system, type }) => as_system !== true || type === "A" || type === "AAAA", {
          path: ["as_system"],
          error: "type A or AAAA beside it",
        })
        .refine(({ server_name, transport }) => server_name === undefined || transport === "tls", {
          path: ["server_name"],
          error: "transport: tls beside it",
        })
        .refine(({ ca_file, transport }) => ca_file === undefined || transport === "tls", {
          path: ["ca_file"],
          error: "transport: tls beside it",
        }),
    }),
    z.strictObject({ https: httpsCheck }),
    z.strictObject({ oidc: oidcCheck }),
    z.strictObject({ tcp: tcpCheck }),
  ],
  "one of dns, https, oidc, tcp",
);

/** Of the records and statuses that a heartbeat carries for one check. */
const edgeList = <T extends z.ZodType>(each: T) => z.array(each).max(16);
const edgeDns = dnsCheck
  .omit({ ca_file: true, as_system: true, upstream: true, port: true, schedule: true })
  .extend({
    expect: edgeList(z.string().max(512)).optional(),
    transport: z.enum(["tcp", "tls"]).optional(),
    server: z
      .string()
      .max(64)
      .refine((server) => resolverOf(server, 53) !== null, "ADDRESS or ADDRESS:PORT")
      .optional(),
  })
  .refine(({ server, transport }) => transport === undefined || server !== undefined, {
    path: ["transport"],
    error: "server: ADDRESS or ADDRESS:PORT beside it (without one the edge asks by DNS over HTTPS)",
  })
  .refine(({ server_name, transport }) => transport !== "tls" || server_name !== undefined, {
    path: ["transport"],
    error: "server_name beside it, the name in the resolver's certificate,",
  })
  .refine(({ server_name, transport }) => server_name === undefined || transport === "tls", {
    path: ["server_name"],
    error: "transport: tls beside it",
  });

/** The edge sees public names alone: it asks what the world sees, over HTTPS and TCP, and never an address of the house. */
export const edgeCheck = z.union(
  [
    /** `server`: an address to ask over TCP or TLS; without one the edge asks by DNS over HTTPS. */
    z.strictObject({ dns: edgeDns }),
    /** `address`: a fixed one, with the name in SNI; without one, what the public DNS says. */
    z.strictObject({
      https: httpsCheck.omit({ ca_file: true, cert_days_min: true, schedule: true }).extend({
        status: edgeList(z.number().int().min(100).max(599)).min(1).default([200]),
        headers: headerRules.refine((headers) => Object.keys(headers).length <= 16, "at most 16 headers").optional(),
        address: ip.optional(),
      }),
    }),
    z.strictObject({ oidc: oidcCheck.omit({ ca_file: true, schedule: true }).extend({ address: ip.optional() }) }),
    z.strictObject({ tcp: tcpCheck.omit({ schedule: true }).extend({ host: hostname }) }),
  ],
  "one of dns, https, oidc, tcp",
);
