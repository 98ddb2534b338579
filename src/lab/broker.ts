import type { ChildProcess } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { type HousePlan, WORLD } from "./house-plan.ts";
import { LAB, type LabSecrets } from "./lab-config.ts";
import { isIpv4 } from "./network.ts";
import type { Receiver } from "./receivers.ts";
import { must, spawnIn } from "./shell.ts";
import type { Said } from "./standins/channel.ts";
import { isInstalled } from "./tools.ts";

/** Mosquitto says that it serves within milliseconds; on a machine that is busy it may take longer. */
const READY_MS = 10_000;

/**
 * The brokers that the configuration names: a real Mosquitto in the place of each, for a stand-in would prove little of MQTT.
 * Where it is not installed the house stands without, and says so.
 */
export async function startBrokers(
  plan: HousePlan,
  secrets: LabSecrets,
  onSaid: (who: string, said: Said) => void,
): Promise<readonly ChildProcess[]> {
  const wanted = plan.receivers.filter((receiver) => receiver.kind === "mqtt");
  const started: ChildProcess[] = [];
  for (const [index, receiver] of wanted.entries()) {
    if (!isInstalled("mosquitto")) {
      const detail = `nothing answers at ${receiver.host}:${receiver.port}: the lab's broker would be mosquitto, which is not installed here`;
      onSaid("broker", { what: "absent", detail });
      continue;
    }
    started.push(await startBroker(plan, secrets, receiver, index));
  }
  return started;
}

/** The namespace that has an address; names lead to the world behind the gateway. */
function placeOf(plan: HousePlan, host: string): { ns: string; address: string } {
  if (!isIpv4(host)) return { ns: plan.ns.switch, address: WORLD };
  const machine = plan.machines.find((known) => known.address === host);
  if (machine !== undefined) return { ns: machine.ns, address: host };
  if (plan.homeAssistant?.address === host) return { ns: plan.homeAssistant.ns, address: host };
  return { ns: plan.node.address === host ? plan.node.ns : plan.ns.switch, address: host };
}

async function startBroker(
  plan: HousePlan,
  secrets: LabSecrets,
  receiver: Receiver,
  index: number,
): Promise<ChildProcess> {
  const { ns, address } = placeOf(plan, receiver.host);
  const dir = `${LAB}/broker-${index}`;
  await mkdir(dir, { recursive: true, mode: 0o700 });
  // Without a name anybody may look (`hairpin lab enter ha-vm`, mosquitto_sub); who gives one needs its password.
  const lines = ["per_listener_settings false", `listener ${receiver.port} ${address}`, "allow_anonymous true"];
  lines.push("persistence false", "user root");
  const login = loginOf(plan, secrets, index);
  if (login !== null) {
    await writeFile(`${dir}/passwords`, "", { mode: 0o600 });
    await must(["mosquitto_passwd", "-b", `${dir}/passwords`, ...login]);
    lines.push(`password_file ${dir}/passwords`);
  }
  if (receiver.tls) {
    const pair = secrets.authority.issue([receiver.host]);
    await writeFile(`${dir}/broker.crt`, pair.certificate);
    await writeFile(`${dir}/broker.key`, pair.key, { mode: 0o600 });
    lines.push(`certfile ${dir}/broker.crt`, `keyfile ${dir}/broker.key`);
  }
  await writeFile(`${dir}/mosquitto.conf`, `${lines.join("\n")}\n`);
  const child = spawnIn(ns, ["mosquitto", "-c", `${dir}/mosquitto.conf`]);
  child.stdout?.resume();
  await new Promise<void>((resolve, reject) => {
    let words = "";
    const timer = setTimeout(() => reject(new Error(`mosquitto was not ready in time: ${words}`)), READY_MS);
    child.stderr?.on("data", (chunk) => {
      words = (words + chunk).slice(-4_096);
      if (!/ running\n/.test(words)) return;
      clearTimeout(timer);
      resolve();
    });
    child.once("exit", (code, signal) => reject(new Error(`mosquitto ended (${signal ?? code}): ${words}`)));
  });
  return child;
}

/** The name and password that the index-th broker of the configuration wants, as the lab made them. */
function loginOf(plan: HousePlan, secrets: LabSecrets, index: number): readonly [string, string] | null {
  const entry = plan.house.notify.flatMap((known, place) => ("mqtt" in known ? [{ ...known.mqtt, place }] : []))[index];
  const label = `mqtt-${entry?.place}-password_file`.replace(/[^A-Za-z0-9_-]/g, "-");
  const password = [...secrets.keys].find(([path]) => path.endsWith(`/${label}`))?.[1];
  return entry?.username === undefined || password === undefined ? null : [entry.username, password];
}
