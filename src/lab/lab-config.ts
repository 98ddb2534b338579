import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import type { Config } from "../core/config/schema.ts";
import { type Authority, makeAuthority } from "./certificates.ts";
import type { HousePlan } from "./house-plan.ts";

/**
 * Everything of a lab run is under this directory, on a tmpfs that dies with the mount namespace. The loopback lab has no mount
 * namespace and names a directory of its own before this module is loaded.
 */
export const LAB = process.env["HAIRPIN_LAB_ROOT"] ?? "/run/lab";
export const HUB_SOCKET = `${LAB}/hub.sock`;
export const CONTROL_SOCKET = `${LAB}/control.sock`;
export const CONFIG_FILE = `${LAB}/hairpin.yaml`;
export const CA_FILE = `${LAB}/ca.pem`;
/** HAIRPIN_RUN of every process: the host's pause file lives here. */
export const RUN_DIR = `${LAB}/run`;
/** The compiled modules of stand-ins and of commands: this house's own, unless whoever started the lab keeps some. */
export const MODULES = process.env["NODE_COMPILE_CACHE"] ?? `${LAB}/modules`;
export const KUBE_PORT = 6_443;
/** What the hub's status page may be called from outside: the relay of `--keep`. */
export const RELAY_PORT = 8_787;
/** Set for the director when that port is taken: why. It must not say that its hub is shown there. */
export const NO_RELAY = "HAIRPIN_LAB_NO_RELAY";

/** Secrets and certificates of one run. */
export interface LabSecrets {
  readonly authority: Authority;
  readonly kubeToken: string;
  readonly keys: ReadonlyMap<string, string>;
}

type Plain = { [key: string]: unknown };

const millis = (value: number) => `${value}ms`;

/**
 * The configuration as the lab's processes read it: the same house, with keys, certificates, sockets and data under /run/lab, and
 * with the waiting times of a demonstration. heal.mode and all else stay as configured.
 */
export async function writeLabConfig(config: Config, plan: HousePlan): Promise<LabSecrets> {
  await mkdir(`${LAB}/keys`, { recursive: true, mode: 0o700 });
  await mkdir(RUN_DIR, { recursive: true });
  const authority = makeAuthority("hairpin lab CA", Date.now());
  await writeFile(CA_FILE, authority.certificate);
  const keys = new Map<string, string>();
  const secretFile = async (label: string): Promise<string> => {
    const path = `${LAB}/keys/${label.replace(/[^A-Za-z0-9_-]/g, "-")}`;
    if (!keys.has(path)) {
      // A webhook id of Home Assistant stands in a URL.
      const isUrlPart = label.endsWith("webhook_id_file");
      const secret = isUrlPart ? randomBytes(32).toString("hex") : `whsec_${randomBytes(32).toString("base64")}`;
      keys.set(path, secret);
      await writeFile(path, `${secret}\n`, { mode: 0o600 });
    }
    return path;
  };
  const kubeToken = randomBytes(32).toString("hex");
  const lab = structuredClone(config) as unknown as Plain & Config;
  delete (lab as Plain)["$schema"];
  await rewriteHub(lab, plan, { secretFile, authority });
  await rewriteSecrets(lab, secretFile);
  await rewriteHosts(lab, plan, secretFile);
  shorten(lab);
  await writeFile(`${LAB}/kubeconfig`, kubeconfig(authority.certificate, kubeToken), { mode: 0o600 });
  // JSON is YAML; every default is written out, so that the file says what was run.
  await writeFile(CONFIG_FILE, `${JSON.stringify(lab, null, 2)}\n`, { mode: 0o600 }); // hairpin host refuses one that a group may write.
  return { authority, kubeToken, keys };
}

interface Making {
  readonly secretFile: (label: string) => Promise<string>;
  readonly authority: Authority;
}

async function rewriteHub(lab: Plain & Config, plan: HousePlan, { secretFile, authority }: Making): Promise<void> {
  const hub = lab.hub as unknown as Plain;
  const listen = [lab.hub.listen]
    .flat()
    .filter(
      (entry) => !entry.startsWith("unix:") && (entry.startsWith("127.") || entry.startsWith(`${plan.hub.address}:`)),
    );
  const own = `${plan.hub.address}:${plan.hub.port}`;
  hub["listen"] = [...new Set([own, ...listen, `unix:${HUB_SOCKET}`])];
  hub["url"] = lab.hub.url ?? `${lab.hub.tls === undefined ? "http" : "https"}://${own}`;
  hub["data"] = `${LAB}/hub`;
  hub["hosts"] = [...lab.hub.hosts, `127.0.0.1:${RELAY_PORT}`, `localhost:${RELAY_PORT}`, "hairpin"];
  await mkdir(`${LAB}/hub`, { recursive: true });
  for (const token of lab.hub.tokens as unknown as Plain[])
    token["token_file"] = await secretFile(`token-${token["name"]}`);
  if (lab.hub.tls !== undefined) {
    const pair = authority.issue([plan.hub.address, "127.0.0.1", "localhost"]);
    await writeFile(`${LAB}/hub.crt`, pair.certificate);
    await writeFile(`${LAB}/keys/hub-tls`, pair.key, { mode: 0o600 });
    hub["tls"] = { cert_file: `${LAB}/hub.crt`, key_file: `${LAB}/keys/hub-tls` };
  }
}

async function rewriteSecrets(lab: Plain & Config, secretFile: Making["secretFile"]): Promise<void> {
  for (const [name, vantage] of Object.entries(lab.vantages) as unknown as [string, Plain][])
    vantage["key_file"] = await secretFile(`vantage-${name}`);
  for (const [index, entry] of (lab.notify as unknown as Record<string, Plain>[]).entries()) {
    for (const [kind, settings] of Object.entries(entry)) {
      for (const key of ["webhook_id_file", "secret_file", "token_file", "password_file"]) {
        if (settings[key] !== undefined) settings[key] = await secretFile(`${kind}-${index}-${key}`);
      }
      for (const key of ["every", "maintenance", "expire_after"])
        if (typeof settings[key] === "number") settings[key] = millis(settings[key]);
      if (settings["ca_file"] !== undefined) settings["ca_file"] = CA_FILE;
    }
  }
  for (const target of Object.values(lab.targets)) {
    for (const check of target.checks) {
      if ("https" in check) check.https.ca_file = CA_FILE;
      if ("oidc" in check) check.oidc.ca_file = CA_FILE;
    }
  }
  if (lab.edge !== undefined) {
    const edge = lab.edge as unknown as Plain;
    edge["key_file"] = await secretFile("edge");
    edge["every"] = millis(lab.edge.every);
    edge["silence"] = millis(lab.edge.silence);
    for (const person of edge["heal_keys"] as Plain[])
      person["key_file"] = await secretFile(`edge-heal-${person["name"]}`);
    for (const [index, entry] of (edge["notify"] as Record<string, Plain>[]).entries())
      for (const settings of Object.values(entry))
        for (const key of ["token_file", "secret_file"])
          if (settings[key] !== undefined) settings[key] = await secretFile(`edge-notify-${index}-${key}`);
  }
}

async function rewriteHosts(lab: Plain & Config, plan: HousePlan, secretFile: Making["secretFile"]): Promise<void> {
  const hosts = [
    ...(lab.host === undefined ? [] : [["default", lab.host] as const]),
    ...Object.entries(lab.hosts ?? {}),
  ];
  for (const [name, host] of hosts as unknown as (readonly [string, Plain])[]) {
    host["journal"] = `${LAB}/host-${name}`;
    await mkdir(`${LAB}/host-${name}`, { recursive: true });
    const socket = String(host["listen"]).startsWith("unix:");
    // A socket is only of use where hub and host are one machine.
    if (socket && plan.hub.ns === plan.node.ns) host["listen"] = `unix:${LAB}/host-${name}.sock`;
    else if (socket) host["listen"] = `${plan.node.address}:8788`;
    if (host["key_file"] !== undefined || !String(host["listen"]).startsWith("unix:"))
      host["key_file"] = await secretFile(`host-${name}`);
  }
  for (const speaker of [...(lab.speaker === undefined ? [] : [lab.speaker]), ...Object.values(lab.speakers ?? {})])
    speaker.kubeconfig_file = `${LAB}/kubeconfig`;
}

/** A demonstration cannot wait for minutes; what is shortened is exactly this. */
function shorten(lab: Plain & Config): void {
  const heal = lab.heal;
  (lab as Plain)["heal"] = {
    ...heal,
    confirm: millis(Math.min(heal.confirm, 15_000)),
    cool_down: "5s",
    budget: { hour: 60, day: 200 },
    grace: millis(heal.grace),
    verify: { announce: millis(heal.verify.announce), others: millis(heal.verify.others) },
    flap: { ...heal.flap, half_life: millis(heal.flap.half_life) },
  };
}

function kubeconfig(ca: string, token: string): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "lab",
    clusters: [
      {
        name: "lab",
        cluster: {
          server: `https://127.0.0.1:${KUBE_PORT}`,
          "certificate-authority-data": Buffer.from(ca).toString("base64"),
        },
      },
    ],
    users: [{ name: "hairpin", user: { token } }],
    contexts: [{ name: "lab", context: { cluster: "lab", user: "hairpin" } }],
  });
}
