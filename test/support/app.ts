import { createSocket } from "node:dgram";
import { rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { freePort, type Running, report, start, type Written, writeHouse } from "../faults/house-on-loopback.ts";
import { secret } from "./hub.ts";
import { SUPERVISOR, standInSupervisor } from "./stand-in-supervisor.ts";

/** The guarded addresses: on loopback, where nothing of the machine's own listens. */
const RESOLVER = "127.0.0.53";
const DOOR = "127.0.0.50";

type Supervisor = Awaited<ReturnType<typeof standInSupervisor>>;

export interface AppHouse {
  readonly house: Written;
  readonly supervisor: Supervisor;
  readonly port: number;
  startHub(): Promise<Running>;
  /** The app as its container starts it: options in a file, the rest in the environment. */
  startApp(options?: Readonly<Record<string, unknown>>, env?: Readonly<Record<string, string>>): Promise<Running>;
  /** One request straight to the app's port, from an address of this machine's loopback. */
  ask(from: string, method: string, path: string, headers?: Record<string, string>, body?: string): Promise<Answer>;
  end(): Promise<void>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
}

/** A house on loopback whose resolver never answers, with a hub, the app of Home Assistant, and a stand-in supervisor. */
export async function appHouse(vm: Readonly<Record<string, unknown>> = { heal: true }): Promise<AppHouse> {
  const silent = createSocket("udp4");
  await new Promise<void>((resolve) => silent.bind(0, RESOLVER, resolve));
  const door = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => door.listen(0, DOOR, resolve));
  const port = await freePort();
  const supervisor = await standInSupervisor(() => port);
  const house = await writeHouse();
  house.write({
    schedule: "*/2 * * * * *",
    control: { gateway: null },
    targets: {
      dns: { address: RESOLVER, checks: [{ dns: { name: "auth.example.lan", port: silent.address().port } }] },
      traefik: { address: DOOR, checks: [{ tcp: { port: (door.address() as AddressInfo).port } }] },
    },
    link: { name: "metallb0", parent: "bridge0", mac: "f2:5a:5f:84:40:e8" },
    host: { listen: `unix:${house.directory}/host.sock`, armed: true },
    vantages: {
      lan: { where: "lan", key_file: "keys/lan" },
      vm: { where: "vm", key_file: "keys/vm", ...vm },
    },
  });
  const data = join(house.directory, "app");
  const running = new Set<Running>();
  const started = async (args: readonly string[], env: Readonly<Record<string, string>> = {}) => {
    const process = await start(args, env);
    running.add(process);
    return process;
  };
  const joined = { hub: `http://127.0.0.1:${house.port}`, site: "home", vantage: "vm", key: secret("vm") };
  return {
    house,
    supervisor,
    port,
    startHub: () => started(["hub", "--config", house.file]),
    startApp(options = {}, env = {}) {
      const token = `hairpin1.${Buffer.from(JSON.stringify(joined)).toString("base64url")}`;
      const file = join(house.directory, "options.json");
      writeFileSync(file, JSON.stringify({ join_token: token, ...options }), { mode: 0o600 });
      const flags = ["--options", file, "--data", data, "--ingress", `127.0.0.1:${port}`, "--ingress-from", SUPERVISOR];
      return started(["vantage", ...flags], { ...supervisor.env, ...env });
    },
    ask: (from, method, path, headers = {}, body = "") =>
      new Promise((resolve, reject) => {
        const sent = request({ host: "127.0.0.1", port, localAddress: from, method, path, headers }, (answer) => {
          let text = "";
          answer.setEncoding("utf8").on("data", (chunk: string) => {
            text += chunk;
          });
          answer.on("end", () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text }));
        });
        sent.on("error", reject);
        sent.end(body);
      }),
    async end() {
      for (const each of running) await each.end();
      silent.close();
      door.close();
      supervisor.close();
      rmSync(house.directory, { recursive: true, force: true });
    },
  };
}

/** Five rounds in which the other vantage asks who has the resolver's address, and nobody answers. */
export async function failLan(port: number, from = 1): Promise<void> {
  const failed = { target: "dns", ok: false, ms: 1_000, tries: 3 };
  const evidence = { mac: null, neighbour_state: "FAILED", asked: true, answers: [], on_link: true };
  const checks = [
    { ...failed, check: "dns", id: "dns:auth.example.lan", failure: "no_reply" },
    { ...failed, check: "neighbour", id: "neighbour", failure: "no_neighbour", evidence },
  ];
  for (let seq = from; seq < from + 5; seq++) await report(port, "lan", seq, { checks });
}

/** Asks until the answer is the wanted one; the test's own time limit ends it. */
export async function eventually<T>(ask: () => Promise<T>, wanted: (answer: T) => boolean): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (wanted(answer)) return answer;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
