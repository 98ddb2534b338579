import { fileURLToPath } from "node:url";
import type { DoctorReport } from "../core/doctor/finding.ts";
import type { LabHouse } from "./house.ts";
import { CONFIG_FILE, MODULES, RUN_DIR } from "./lab-config.ts";
import { inside, run } from "./shell.ts";

const MAIN = fileURLToPath(new URL("../cli/main.ts", import.meta.url));
const SAID_MAX = 400;
/** A round of 12 s at most, and several Node processes that start at once. */
const DOCTOR_MS = 45_000;

/** What `hairpin doctor` said at one place of the house. */
export interface DoctorSaid {
  readonly place: string;
  readonly exit: number | null;
  readonly cause: string | null;
  /** The layers of its page at which something is not good, as far as it is sure of it. */
  readonly bad: readonly string[];
  /** The first sentence on its page. */
  readonly verdict: string;
}

/** Asks the doctor on the host and at every vantage off it, all at once: each sees another part of the same fault. */
export async function askDoctors(house: LabHouse): Promise<readonly DoctorSaid[]> {
  const { plan } = house;
  const vantages = plan.house.vantages.filter((vantage) => vantage.where !== "host");
  const places = [
    { place: plan.node.name, ns: plan.node.ns },
    ...vantages.map((vantage) => ({ place: vantage.name, ns: house.namespaceOf(vantage) })),
  ];
  return await Promise.all(places.map(({ place, ns }) => askDoctor(place, ns)));
}

/** Names the machine after the place, as it would be: a host whose bridge is gone is still known by its node's name. */
const NAMED = 'echo "$1" > /proc/sys/kernel/hostname && shift && exec "$@"';

async function askDoctor(place: string, ns: string): Promise<DoctorSaid> {
  const doctor = [process.execPath, MAIN, "doctor", "--json", "--config", CONFIG_FILE];
  const named = ["unshare", "-u", "sh", "-c", NAMED, "sh", place, ...doctor];
  const { code, stdout, stderr } = await run(
    inside(ns, ["env", `HAIRPIN_RUN=${RUN_DIR}`, `NODE_COMPILE_CACHE=${MODULES}`, ...named]),
    undefined,
    DOCTOR_MS,
  );
  try {
    const { cause, verdict, findings } = JSON.parse(stdout) as DoctorReport;
    const bad = findings.filter((finding) => finding.state === "bad").map((finding) => finding.layer);
    return { place, exit: code, cause, bad: [...new Set(bad)], verdict: verdict.slice(0, SAID_MAX) };
  } catch {
    return { place, exit: code, cause: null, bad: [], verdict: stderr.trim().slice(0, SAID_MAX) };
  }
}
