import { existsSync } from "node:fs";
import { join } from "node:path";
import type { House } from "../core/config/house.ts";
import type { Examination } from "../core/doctor/examination.ts";
import type { DoctorReport } from "../core/doctor/finding.ts";
import { houseOfPlan, parentOfPlan } from "../core/doctor/from-plan.ts";
import { examine, unusable } from "../core/doctor/report.ts";
import type { Plan } from "../core/plan.ts";
import type { ProbePorts } from "../probes/port.ts";
import { runRound } from "../probes/round.ts";
import { ConfigError, type LoadedConfig, loadConfig, sayProblem } from "../runtime/node/config-file.ts";
import { lookAtBoot } from "../runtime/node/doctor-boot.ts";
import { lookAtHouseEdge } from "../runtime/node/doctor-edge.ts";
import { lookAtLink } from "../runtime/node/doctor-host.ts";
import { lookAtBrokers } from "../runtime/node/doctor-mqtt.ts";
import { lookAtNames } from "../runtime/node/doctor-names.ts";
import { readSavedPlan, type SavedPlan } from "../runtime/node/doctor-plan.ts";
import { lookAtHomeAssistants, reportsOf } from "../runtime/node/doctor-telling.ts";
import { createProbePorts } from "../runtime/node/probe-ports.ts";
import { commandLine, defaultConfig } from "./command-line.ts";
import { askReports, askStatus, hubOfConfig, hubOfJoin } from "./doctor-hub.ts";
import { doctorPage } from "./doctor-page.ts";
import { planHere } from "./plan-here.ts";

interface Flags {
  readonly config: string;
  readonly data?: string;
  readonly tokenFile?: string;
  readonly joinFile?: string;
  readonly json?: boolean;
}

const TRIES = 3;
/** Where a vantage keeps its plan unless it was told otherwise. */
const VANTAGE_DATA = "/var/lib/hairpin-vantage";
/** Addresses that are asked about one after the other, half a second each. */
const STRANGERS_MAX = 16;
const [FAILED, USAGE, CANNOT_TELL] = [1, 2, 3] as const;

/** `hairpin doctor`: the whole path from this machine, layer by layer. It reads and asks, and changes nothing. */
export async function run(argv: readonly string[]): Promise<number> {
  let code = 0;
  const program = commandLine("doctor", "the whole path from here, layer by layer, in sentences; changes nothing")
    .option("--config <file>", "the configuration", defaultConfig())
    .option("--data <dir>", `go by a vantage's saved plan; without a configuration that of ${VANTAGE_DATA}`)
    .option("--token-file <file>", "a token of hub.tokens, where a private hub is asked over the network")
    .option("--join-file <file>", "with --data: the vantage's join token, to ask the hub; or in HAIRPIN_JOIN")
    .option("--json", "print one JSON document")
    .action(async (flags: Flags) => {
      code = await doctor(flags, program.getOptionValueSource("config") === "default");
    });
  await program.parseAsync([...argv], { from: "user" });
  return code;
}

async function doctor(flags: Flags, isDefault: boolean): Promise<number> {
  const isAbsent = isDefault && !existsSync(flags.config);
  const saved = flags.data !== undefined || isAbsent ? readSavedPlan(flags.data ?? VANTAGE_DATA) : null;
  if (saved !== null && typeof saved !== "string") return conclude(await lookByPlan(saved, flags.joinFile), flags);
  if (saved !== null) {
    const isByConfig = flags.data === undefined;
    const file = isByConfig ? flags.config : join(flags.data, "plan.json");
    const missing = isByConfig ? [`${flags.config} is not there.`] : [];
    const advice = "hairpin doctor --config FILE   # or --data DIR, where a vantage here keeps its plan";
    tell(unusable(file, [...missing, `${saved}.`], advice), flags);
    return USAGE;
  }
  let loaded: LoadedConfig;
  try {
    loaded = loadConfig(flags.config);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    tell(
      unusable(
        flags.config,
        error.problems.map((problem) => sayProblem(flags.config, problem)),
      ),
      flags,
    );
    return USAGE;
  }
  return conclude(await lookAround(loaded, flags), flags);
}

function conclude(exam: Examination, flags: Flags): number {
  const report = examine(exam);
  tell(report, flags);
  return report.blind ? CANNOT_TELL : report.ok ? 0 : FAILED;
}

function tell(report: DoctorReport, flags: Flags): void {
  const colour = process.stdout.isTTY === true && process.env["NO_COLOR"] === undefined;
  const { blind: _, ...document } = report;
  const width = process.stdout.isTTY === true ? process.stdout.columns : null;
  process.stdout.write(flags.json ? `${JSON.stringify(document, null, 2)}\n` : doctorPage(report, colour, width));
}

async function lookAround({ house, dir, warnings }: LoadedConfig, flags: Flags): Promise<Examination> {
  const file = flags.config;
  const ports = createProbePorts();
  const plan = await planHere(house, [], ports);
  const isHost = plan.where === "host";
  const linked = isHost ? house.groups.filter((group) => group.link !== null) : [];
  // The round first and alone: what else is asked must neither disturb its times nor the neighbour table.
  const round = await runRound({ plan, due: () => true, tries: () => TRIES }, ports, new AbortController().signal);
  const isHub = await isHubHere(house, ports);
  const asked = hubOfConfig(house, file, isHub, flags.tokenFile);
  const isTold = house.notify.some((entry) => "home_assistant" in entry);
  const [ways, names, seen, strangers, links, homeAssistants, brokers, hub, reports, edge] = await Promise.all([
    waysOf(plan, ports),
    lookAtNames(house),
    isHost ? UNSEEN : askHost(house, ports),
    isHost ? askStrangers(house, ports) : null,
    Promise.all(linked.map((group) => lookAtLink(house, group, dir))),
    lookAtHomeAssistants(house),
    lookAtBrokers(house, dir),
    askStatus(asked),
    isTold ? askReports(asked) : null,
    lookAtHouseEdge(house, dir),
  ]);
  return {
    house,
    file,
    warnings: warnings.map((problem) => sayProblem(file, problem)),
    where: plan.where,
    control: round.control,
    checks: round.checks,
    ways,
    names,
    ...seen,
    strangers,
    links,
    boot: isHost ? lookAtBoot() : null,
    homeAssistants: homeAssistants.map((sight) =>
      reports === null ? sight : { ...sight, reports: reportsOf(reports)(sight.name) },
    ),
    brokers,
    edge,
    hub,
    isHub,
  };
}

/** What a vantage with nothing but its plan can look at: its own path, the addresses, the names. */
async function lookByPlan({ plan, file, savedAt }: SavedPlan, joinFile?: string): Promise<Examination> {
  const ports = createProbePorts();
  const house = houseOfPlan(plan);
  const round = await runRound({ plan, due: () => true, tries: () => TRIES }, ports, new AbortController().signal);
  const [ways, names, hub] = await Promise.all([
    waysOf(plan, ports),
    lookAtNames(house),
    hubOfJoin(joinFile).then(askStatus),
  ]);
  return {
    house,
    file,
    warnings: [],
    fromPlan: { plan, savedAt },
    where: plan.where,
    control: round.control,
    checks: round.checks,
    ways,
    names,
    neighbourOfHost: plan.where === "host" ? null : parentOfPlan(plan),
    strangers: null,
    links: [],
    boot: null,
    homeAssistants: [],
    hub,
    isHub: null,
  };
}

async function waysOf(plan: Plan, ports: ProbePorts): Promise<Examination["ways"]> {
  const addresses = plan.targets.flatMap((target) => target.addresses);
  return await Promise.all(
    addresses.map(async (address) => {
      const { way, device } = await ports.neighbours.read(address);
      return { address, way, device };
    }),
  );
}

/**
 * Whose MAC the Kubernetes host has for its own address: the parent's, which tells an address announced on the wrong interface from
 * a stranger's. The address is the host hook's; where that is a unix socket, hub and host are one machine, and it is the hub's.
 */
async function askHost(house: House, ports: ProbePorts): Promise<HostSeen> {
  const host = house.groups.find((group) => group.host !== null)?.host ?? null;
  if (host === null) return UNSEEN;
  const address = addressIn(host.listen.startsWith("unix:") ? (house.hub.url ?? "") : host.listen);
  if (address === null) return UNSEEN;
  const { way, device } = await ports.neighbours.read(address);
  if (device === null) return UNSEEN;
  const asked = await ports.whoHas.ask(address, device, AbortSignal.timeout(2_000));
  // Without arp_ignore the link answers for the host's address as well (facts/l2): its own MAC is not the parent's.
  const own = new Set(house.links.map((link) => link.mac));
  const macs = asked.answers.map((answer) => answer.mac).filter((mac) => !own.has(mac));
  const mac = macs.length === 1 ? macs[0]! : asked.asked ? null : (await ports.neighbours.read(address)).mac;
  return {
    neighbourOfHost: mac === null ? null : { address, mac },
    hostHeard: way === "on_link" && asked.asked ? { address, heard: asked.answers.length > 0 } : null,
  };
}

type HostSeen = Pick<Examination, "neighbourOfHost" | "hostHeard">;
const UNSEEN: HostSeen = { neighbourOfHost: null, hostHeard: null };

/** Who answers on the parents. Null where nothing may be sent: then nothing is said. */
async function askStrangers(house: House, ports: ProbePorts): Promise<Examination["strangers"]> {
  const links = (await ports.links.read()) ?? [];
  const wanted = house.groups.flatMap((group) => {
    const parent = group.link?.parent;
    if (parent === undefined || !links.some((link) => link.name === parent && link.up)) return [];
    const targets = house.targets.filter((target) => target.group === group.name);
    return targets.flatMap((target) => target.addresses.map((address) => ({ address, parent })));
  });
  const asked = [];
  for (const { address, parent } of wanted.filter(({ address }) => !address.includes(":")).slice(0, STRANGERS_MAX)) {
    const { asked: isAsked, answers } = await ports.whoHas.ask(address, parent, AbortSignal.timeout(2_000));
    if (!isAsked) return null;
    asked.push({ address, macs: answers.map((answer) => answer.mac) });
  }
  return asked;
}

async function isHubHere(house: House, ports: ProbePorts): Promise<boolean | null> {
  const address = addressIn(house.hub.url ?? "");
  if (address === null) return null;
  const { way } = await ports.neighbours.read(address);
  return way === null ? null : way === "local";
}

/** The IPv4 address in a URL or in ADDRESS:PORT. */
function addressIn(text: string): string | null {
  return /(?:^|\/\/)(\d{1,3}(?:\.\d{1,3}){3})(?::|\/|$)/.exec(text)?.[1] ?? null;
}
