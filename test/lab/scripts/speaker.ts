/** What the speaker stand-in does and does not do, seen from a client's neighbour table. */
import { bootLinks, makeLink } from "../../../src/lab/node-boot.ts";
import { inside, must, run } from "../../../src/lab/shell.ts";
import { type Stage, stage } from "./stage.ts";

const OTHER = "02:00:00:00:00:99";

/** The MAC in a client's table, without asking for it. */
async function held(ns: string, address: string): Promise<string | null> {
  const { stdout } = await run(["ip", "-n", ns, "neigh", "show", address]);
  return /lladdr (\S+)/.exec(stdout)?.[1] ?? null;
}

async function until(what: string, seconds: number, holds: () => Promise<boolean>): Promise<number> {
  const start = performance.now();
  while (performance.now() - start < seconds * 1_000) {
    if (await holds()) return performance.now() - start;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`not within ${seconds} s: ${what}`);
}

async function packetSockets(ns: string): Promise<readonly number[]> {
  const text = await must(inside(ns, ["cat", "/proc/net/packet"]));
  return text.split("\n").flatMap((line) => {
    const columns = line.trim().split(/\s+/);
    return columns[3] === "0806" ? [Number(columns[4])] : [];
  });
}

const ifindex = async (ns: string, name: string) =>
  Number(/^(\d+):/.exec(await must(["ip", "-n", ns, "-o", "link", "show", name]))?.[1]);

async function act({ house, said, whoHas }: Stage): Promise<unknown> {
  const { plan, standins } = house;
  const [ns, link] = [plan.node.ns, plan.house.links[0]!];
  const [client, address] = [plan.machines[0]!.ns, plan.pods[0]!.addresses[0]!];
  const logs = () =>
    said.flatMap(({ said: each }) => (each.what === "speaker-report" ? [JSON.stringify(each["report"])] : []));
  await whoHas(client, address);
  await must(["ip", "-n", client, "neigh", "replace", address, "lladdr", link.mac, "dev", "eth0", "nud", "stale"]);
  const socketAtStart = (await packetSockets(ns)).includes(await ifindex(ns, link.name));

  // Another MAC, made anew: picked up by the next scan, and nobody is told.
  await must(["ip", "-n", ns, "link", "del", link.name]);
  await makeLink(plan, link, OTHER);
  const index = await ifindex(ns, link.name);
  const pickedUpMs = await until("a responder on the new ifindex", 12, async () =>
    (await packetSockets(ns)).includes(index),
  );
  const heldAfterPickUp = await held(client, address);
  const answeredAfterPickUp = await whoHas(client, address);

  // An update of the Service: gratuitous ARP at once, and then on.
  await must(["ip", "-n", client, "neigh", "replace", address, "lladdr", link.mac, "dev", "eth0", "nud", "stale"]);
  await patchService(house.secrets.kubeToken, ns, plan.pods[0]!.service);
  const burstMs = await until("the client to know the new MAC", 4, async () => (await held(client, address)) === OTHER);

  // A MAC changed in place is never noticed.
  await must(["ip", "-n", ns, "link", "set", link.name, "address", "02:00:00:00:00:77"]);
  const answeredAfterChange = await whoHas(client, address);

  // The boot in the wrong order: the speaker first, the link later.
  await standins.kubernetes.order({ kind: "speaker", act: "remove" });
  await must(["ip", "-n", ns, "link", "del", link.name]);
  await standins.kubernetes.order({ kind: "speaker", act: "start" });
  await bootLinks(plan);
  const made = await ifindex(ns, link.name);
  await until("a responder on the late link", 12, async () => (await packetSockets(ns)).includes(made));
  const answeredAfterBoot = await whoHas(client, address);
  const failed = logs().some((text) => text.includes("announceFailed"));
  await patchService(house.secrets.kubeToken, ns, plan.pods[0]!.service);
  const curedByUpdate = await whoHas(client, address);

  // Not ready: withdrawn.
  await standins.kubernetes.order({ kind: "endpoints", services: [plan.pods[0]!.service], ready: false });
  const answeredNotReady = await whoHas(client, address);
  await standins.kubernetes.order({ kind: "endpoints", services: [plan.pods[0]!.service], ready: true });
  await standins.kubernetes.order({ kind: "advertisement", interfaces: null });
  const answeredEverywhere = [...(await whoHas(client, address))].sort();
  await standins.kubernetes.order({ kind: "advertisement" });
  await standins.kubernetes.order({ kind: "api", up: false });
  const answeredWithoutApi = await whoHas(client, address);
  await standins.kubernetes.order({ kind: "speaker", act: "kill" });
  await standins.kubernetes.order({ kind: "speaker", act: "start" });
  const answeredStartedWithoutApi = await whoHas(client, address);
  return {
    mac: link.mac,
    bridgeMac: plan.node.bridgeMac,
    socketAtStart,
    pickedUpMs,
    heldAfterPickUp,
    answeredAfterPickUp,
    burstMs,
    answeredAfterChange,
    answeredAfterBoot,
    failed,
    curedByUpdate,
    answeredNotReady,
    answeredEverywhere,
    answeredWithoutApi,
    answeredStartedWithoutApi,
  };
}

/** As hairpin's `announce` may do it. */
async function patchService(token: string, ns: string, service: string): Promise<void> {
  const [namespace, name] = service.split("/");
  const script = `
    const https = require("node:https");
    const body = JSON.stringify({ metadata: { annotations: { kick: String(Date.now()) } } });
    const asked = https.request({ host: "127.0.0.1", port: 6443, method: "PATCH", path: "/api/v1/namespaces/${namespace}/services/${name}",
      ca: require("node:fs").readFileSync("/run/lab/ca.pem"), headers: { authorization: "Bearer ${token}", "content-type": "application/merge-patch+json", "content-length": Buffer.byteLength(body) } },
      (answer) => { answer.resume(); process.exitCode = answer.statusCode === 200 ? 0 : 1; });
    asked.end(body);`;
  await must(inside(ns, [process.execPath, "-e", script]));
}

await stage({}, act);
