import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { App } from "./app.ts";
import { HomeAssistant } from "./home-assistant/real.ts";
import { StandInSupervisor, supervisorSecrets } from "./home-assistant/supervisor.ts";
import { APP_ADDRESS, SUPERVISOR_ADDRESS } from "./home-assistant/supervisor-facts.ts";
import { labSecret, spawnInLab, takeVantage } from "./house.ts";
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
const place = join(dir, `ha-${version}`);
const secrets = supervisorSecrets(place);
const webhookId = labSecret(pid, "home_assistant-0-webhook_id_file");
const home = new HomeAssistant({
  version,
  root,
  dir: place,
  address: ADDRESS,
  webhookId,
  hubToken: labSecret(pid, "token-home-assistant"),
  broker: { host: ADDRESS, port: 1883, username: "hairpin", password: labSecret(pid, "mqtt-1-password_file") },
  seenUrl: reports.url,
  supervisor: { address: SUPERVISOR_ADDRESS, token: secrets.core, socket: secrets.socket },
});
const supervisor = new StandInSupervisor(home, version, secrets);

/** The bridge of the apps, as far as a machine without containers has one: the addresses of the Supervisor and of the app. */
function bridgeApps(): void {
  for (const address of [SUPERVISOR_ADDRESS, APP_ADDRESS]) {
    const { status, stderr } = spawnSync("ip", ["addr", "add", `${address}/32`, "dev", "lo"], { encoding: "utf8" });
    if (status !== 0) throw new Error(`ip addr add ${address}: ${stderr}`);
  }
}

/** The app in the place of the lab's own vantage beside Home Assistant. */
async function startApp(): Promise<App> {
  bridgeApps();
  await supervisor.listen();
  const told = { url: `http://${SUPERVISOR_ADDRESS}`, token: secrets.app };
  return new App({ dir: join(dir, "app"), joinToken: takeVantage(pid, "ha-vm"), supervisor: told });
}

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

let app: App | null = null;
process.once("SIGTERM", () => void Promise.all([home.stop(), app?.stop()]).then(() => process.exit(143)));

let code = 1;
try {
  const running = await startApp();
  app = running;
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
        app: running,
        pagePicture: pictures === null ? null : join(pictures, "home-assistant-ingress.png"),
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
  console.error(`the app:\n${app?.output().slice(-3_000)}`);
} finally {
  await Promise.all([home.stop(), app?.stop()]);
  supervisor.close();
  broker?.kill("SIGKILL");
  reports.close();
}
if (supervisor.unknown.size > 0) console.log(`asked of the Supervisor in vain: ${[...supervisor.unknown].join(", ")}`);
console.log(`Home Assistant ${version}: ${steps.passed} steps passed, ${steps.failed} failed`);
process.exit(code);
