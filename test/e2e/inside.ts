import { readFileSync } from "node:fs";
import { join } from "node:path";
import { HomeAssistant } from "./home-assistant/real.ts";
import { labSecret, spawnInLab } from "./house.ts";
import { photographer } from "./pictures.ts";
import { Steps } from "./steps.ts";
import { listenForReports, tell } from "./story.ts";

/** Runs in the network namespace of the Home Assistant VM: everything it sends goes over the lab's bridge. */
export interface InsideOptions {
  readonly pid: number;
  readonly dir: string;
  readonly version: string;
  readonly root: string;
  readonly downMs: number;
  readonly pictures: string | null;
}

const { pid, dir, version, root, downMs, pictures } = JSON.parse(process.argv[2]!) as InsideOptions;
const ADDRESS = "192.168.8.10";
const steps = new Steps(`Home Assistant ${version}`);
const reports = await listenForReports();
const webhookId = labSecret(pid, "home_assistant-0-webhook_id_file");
const home = new HomeAssistant({
  version,
  root,
  dir: join(dir, `ha-${version}`),
  address: ADDRESS,
  webhookId,
  hubToken: labSecret(pid, "token-home-assistant"),
  broker: { host: ADDRESS, port: 1883, username: "hairpin", password: labSecret(pid, "mqtt-1-password_file") },
  seenUrl: reports.url,
});

/** The broker's process, by its configuration file in the lab. */
function brokerPid(): number {
  const list = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number);
  const found = list.find((child) => readFileSync(`/proc/${child}/cmdline`, "utf8").includes("mosquitto"));
  if (found === undefined) throw new Error("no broker runs in the lab: is mosquitto installed?");
  return found;
}

let broker = null as ReturnType<typeof spawnInLab> | null;
const restartBroker = async (): Promise<void> => {
  process.kill(broker?.pid ?? brokerPid(), "SIGKILL");
  await new Promise((next) => setTimeout(next, 1_500));
  broker = spawnInLab(pid, "ha-vm", ["mosquitto", "-c", "/run/lab/broker-0/mosquitto.conf"]);
};

process.once("SIGTERM", () => void home.stop().then(() => process.exit(143)));

let code = 1;
try {
  await steps.step("boots in the lab's VM, with broker, blueprint and package", async () => {
    const took = await home.start();
    return `${(took / 1_000).toFixed(1)} s`;
  });
  const camera = pictures === null ? null : await photographer(home, pictures);
  try {
    await tell(
      {
        pid,
        home,
        seen: reports.seen,
        inputs: { webhookId, phones: [], by: "mqtt" },
        downMs,
        restartBroker,
        pictures: camera?.take ?? null,
      },
      steps,
    );
    code = 0;
  } finally {
    await camera?.close();
  }
} catch (error) {
  if (steps.failed === 0) console.error(error);
  console.error(home.log().split("\n").slice(-30).join("\n"));
} finally {
  await home.stop();
  broker?.kill("SIGKILL");
  reports.close();
}
console.log(`Home Assistant ${version}: ${steps.passed} steps passed, ${steps.failed} failed`);
process.exit(code);
