import type { Plan, PlanCheck, PlanLink, PlanTarget, Where } from "../core/plan.ts";

/** The hub's own limits are lower; these keep a mistaken plan from exhausting a small machine. */
const TARGETS_MAX = 256;
const CHECKS_MAX = 64;
const SPOOL_MAX = 10_000;
const OFFSET_MAX = 60_000;

type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads a plan as it came from the hub or from disk; a string says what is wrong with it. Written by hand, because the schema
 * library would cost a vantage a tenth of its memory. A check of a kind that this version does not know is left out, so that a
 * hub may be newer than its vantages.
 */
export function parsePlan(value: unknown): Plan | string {
  if (!isObject(value) || value["type"] !== "hairpin.plan.v1") return "not a plan";
  const { site, vantage, where, schedule, offset_ms, control, targets, links, spool_max } = value;
  if (!isText(site) || !isText(vantage)) return "site or vantage is missing";
  if (!isText(where) || !["vm", "lan", "routed", "host"].includes(where)) return "where is unknown";
  if (!isText(schedule)) return "schedule is missing";
  if (!isObject(control)) return "control is missing";
  if (!Array.isArray(targets) || targets.length > TARGETS_MAX) return "targets is no list, or too long";
  const read = targets.map(parseTarget);
  const wrong = read.find((target) => typeof target === "string");
  if (typeof wrong === "string") return wrong;
  return {
    type: "hairpin.plan.v1",
    site,
    vantage,
    where: where as Where,
    schedule,
    offset_ms: within(offset_ms, 0, OFFSET_MAX, 0),
    control: { gateway: textOrNull(control["gateway"]), reference: textOrNull(control["reference"]) },
    targets: read as PlanTarget[],
    links: Array.isArray(links) ? links.filter(isLink) : [],
    spool_max: within(spool_max, 1, SPOOL_MAX, 1_000),
  };
}

function parseTarget(value: unknown): PlanTarget | string {
  if (!isObject(value) || !isText(value["name"])) return "a target has no name";
  const { name, addresses, mac, also, checks } = value;
  if (!Array.isArray(addresses) || !addresses.every(isAddress)) return `target ${name}: addresses are no IP addresses`;
  if (!Array.isArray(checks) || checks.length > CHECKS_MAX) return `target ${name}: checks is no list, or too long`;
  return {
    name: name as string,
    addresses,
    mac: textOrNull(mac),
    also: isObject(also)
      ? (Object.fromEntries(Object.entries(also).filter(([, each]) => isText(each))) as Record<string, string>)
      : {},
    checks: checks.filter(isCheck),
  };
}

/** What each kind must have for its probe to run. */
function isCheck(value: unknown): value is PlanCheck {
  if (!isObject(value) || !isText(value["id"])) return false;
  if (value["schedule"] !== undefined && !isText(value["schedule"])) return false;
  const port = within(value["port"], 1, 65_535, 0) > 0;
  switch (value["kind"]) {
    case "dns":
      return isText(value["name"]) && typeof value["upstream"] === "boolean" && isNameQuestion(value);
    case "https":
      return (
        port &&
        isText(value["host"]) &&
        isText(value["path"]) &&
        Array.isArray(value["status"]) &&
        (value["ca_pem"] === null || isText(value["ca_pem"])) &&
        (value["body"] === undefined || isRule(value["body"])) &&
        (value["headers"] === undefined ||
          (isObject(value["headers"]) && Object.values(value["headers"]).every(isRule)))
      );
    case "oidc":
      return (
        port &&
        isText(value["issuer"]) &&
        URL.canParse(value["issuer"]) &&
        (value["ca_pem"] === null || isText(value["ca_pem"])) &&
        isTextOrAbsent(value["algorithm"]) &&
        (value["peers"] === undefined || (Array.isArray(value["peers"]) && value["peers"].every(isPeer))) &&
        (value["names"] === undefined || (Array.isArray(value["names"]) && value["names"].every(isName)))
      );
    case "tcp":
      return port;
    case "neighbour":
      return true;
    default:
      return false;
  }
}

function isRule(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { equals, contains, lacks } = value;
  const isList = (list: unknown) => list === undefined || isTexts(list);
  return (equals === undefined || typeof equals === "string") && isList(contains) && isList(lacks);
}

function isPeer(value: unknown): boolean {
  return (
    isObject(value) &&
    isText(value["host"]) &&
    isAddress(value["address"]) &&
    within(value["port"], 1, 65_535, 0) > 0 &&
    (value["ca_pem"] === null || isText(value["ca_pem"]))
  );
}

/** What every question to a resolver has. */
function isNameQuestion(value: Fields): boolean {
  return (
    within(value["port"], 1, 65_535, 0) > 0 &&
    isText(value["type"]) &&
    (value["expect"] === null || isTexts(value["expect"])) &&
    ["udp", "tcp", "tls"].includes(value["transport"] as string) &&
    isTextOrAbsent(value["server_name"]) &&
    (value["ca_pem"] === null || isTextOrAbsent(value["ca_pem"]))
  );
}

function isName(value: unknown): boolean {
  return (
    isObject(value) &&
    isText(value["host"]) &&
    isAddress(value["resolver"]) &&
    isTexts(value["declared"]) &&
    isNameQuestion(value)
  );
}

function isLink(value: unknown): value is PlanLink {
  return isObject(value) && [value["name"], value["parent"], value["mac"], value["mode"]].every(isText);
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
const isText = (value: unknown): value is string => typeof value === "string" && value !== "";
const isTextOrAbsent = (value: unknown): boolean => value === undefined || isText(value);
const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((each) => typeof each === "string");
/** A literal: it goes into the argv of ip and arping, and nothing else may get there. */
const isAddress = (value: unknown): value is string =>
  isText(value) && /^(\d{1,3}(\.\d{1,3}){3}|[0-9a-fA-F:]*:[0-9a-fA-F:.]*)$/.test(value);
const textOrNull = (value: unknown): string | null => (isText(value) ? value : null);

function within(value: unknown, low: number, high: number, fallback: number): number {
  return typeof value === "number" && Number.isFinite(value) ? Math.min(high, Math.max(low, value)) : fallback;
}
