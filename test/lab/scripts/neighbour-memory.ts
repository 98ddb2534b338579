import { execFileSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { answerTo, gratuitous, parseArp } from "../../../src/lab/standins/arp.ts";
import { advertisementFor, ETHERTYPE_IPV6, parseSolicitation, unsolicited } from "../../../src/lab/standins/ndp.ts";
import { openPacketSocket } from "../../../src/lab/standins/packet-socket.ts";
import { createMacMemory } from "../../../src/probes/mac-memory.ts";
import { createNeighbourFollower } from "../../../src/runtime/node/neighbour-events.ts";
import { findProgram, runCommand } from "../../../src/runtime/node/probe-command.ts";
import { createNeighbourTable } from "../../../src/runtime/node/probe-neighbours.ts";
import { clock } from "../../../src/runtime/node/probe-ports.ts";
import { createWhoHas } from "../../../src/runtime/node/probe-who-has.ts";

/**
 * A vantage on `eth0` and, behind a bridge, an announcer with MetalLB's frames that holds two addresses by a MAC of our choice. Prints
 * what the vantage remembers after each turn, as JSON.
 */
const [FOUR, SIX] = ["10.9.0.53", "fd09::53"] as const;
const [A, B, C] = ["02:00:00:00:00:a1", "02:00:00:00:00:b2", "02:00:00:00:00:c3"] as const;

const sh = (script: string) => execFileSync("sh", ["-euc", script], { stdio: ["ignore", "ignore", "inherit"] });
sh(`mount -t tmpfs none /run; mkdir -p /run/netns; ip netns add lan; ip link set lo up
    ip -n lan link add name br9 type bridge; ip -n lan link set br9 up
    ip link add eth0 type veth peer name p0 netns lan; ip link add w0 type veth peer name q0 netns lan
    ip -n lan link set p0 master br9 up; ip -n lan link set q0 master br9 up
    ip addr add 10.9.0.2/24 dev eth0; ip addr add fd09::2/64 dev eth0 nodad; ip link set eth0 up; ip link set w0 up`);

let announcer: string | null = A;
const ifindex = Number(/^(\d+):/.exec(execFileSync("ip", ["-o", "link", "show", "w0"], { encoding: "utf8" }))?.[1]);
const arp = await openPacketSocket(ifindex, (frame) => {
  const asked = parseArp(frame);
  if (announcer !== null && asked?.operation === "request" && asked.targetIp === FOUR && asked.senderIp !== FOUR)
    arp.send(answerTo(asked, announcer));
});
const ndp = await openPacketSocket(
  ifindex,
  (frame) => {
    const asked = parseSolicitation(frame);
    if (announcer !== null && asked?.target === SIX) ndp.send(advertisementFor(asked, announcer));
  },
  ETHERTYPE_IPV6,
);

const follower = createNeighbourFollower();
const memory = createMacMemory(clock, follower.follow);
const [whoHas, table] = [createWhoHas(), createNeighbourTable()];
const { signal } = new AbortController();

async function turn(address: string) {
  const before = await table.read(address);
  const { asked, answers } = await whoHas.ask(address, "eth0", signal);
  const { former_macs, mac_changes } = memory.recall(
    address,
    before.mac,
    answers.map((answer) => answer.mac),
  );
  return {
    asked,
    answers: answers.map((answer) => answer.mac),
    timed: answers.every((answer) => answer.ms !== null),
    former: former_macs.map((each) => each.mac),
    changes: mac_changes?.map(({ from, to }) => `${from} ${to}`) ?? null,
  };
}

/** Makes the kernel ask, as any client does. */
async function touch(address: string): Promise<void> {
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  await new Promise<void>((resolve) => socket.send("?", 9, address, () => socket.close(() => resolve())));
  await until(`an entry for ${address}`, async () => (await table.read(address)).mac !== null);
}

/** Without asking: nothing is sent by it. */
const changesOf = (address: string) => memory.recall(address, null, []).mac_changes?.length ?? 0;

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const start = performance.now(); performance.now() - start < 10_000; ) {
    if (await holds()) return;
    await clock.sleep(50);
  }
  throw new Error(`not within 10 s: ${what}`);
}

const found: Record<string, unknown> = {};
for (const address of [FOUR, SIX]) {
  const announce = (mac: string) => {
    if (address === SIX) ndp.send(unsolicited(SIX, mac));
    else for (const frame of gratuitous(FOUR, mac)) arp.send(frame);
  };
  announcer = A;
  memory.recall(address, null, []);
  await touch(address);
  const first = await turn(address);
  announce(A);
  announcer = B;
  announce(B);
  await until("the announced MAC", () => changesOf(address) > 0);
  const announced = await turn(address);
  // Asked for: the entry is gone, and the kernel finds out anew.
  announcer = C;
  sh(`ip neigh del ${address} dev eth0`);
  await touch(address);
  const asked = await turn(address);
  announcer = null;
  const silent = await turn(address);
  found[address] = { first, announced, asked, silent };
}
announcer = A;
const ndisc6 = findProgram("ndisc6");
found["ndisc6"] =
  ndisc6 === null ? null : (await runCommand(ndisc6, ["-r", "1", "-w", "500", "-n", "-m", SIX, "eth0"])).stdout;
follower.stop();
arp.close();
ndp.close();
process.stdout.write(`${JSON.stringify(found)}\n`);
process.exit(0);
