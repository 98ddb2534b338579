import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Plan } from "../../../src/core/plan.ts";
import { runRound } from "../../../src/probes/round.ts";
import { createProbePorts } from "../../../src/runtime/node/probe-ports.ts";

/**
 * Three machines on a bridge: `asker`, and two that hold 10.9.0.53. Prints the rounds of the asker: with one of them up, with both,
 * and with none, as JSON.
 */
const MACS = { one: "02:00:00:00:00:11", two: "02:00:00:00:00:22" } as const;
const PLAN: Plan = {
  type: "hairpin.plan.v1",
  site: "attic",
  vantage: "asker",
  where: "lan",
  schedule: "*/10 * * * * *",
  offset_ms: 0,
  control: { gateway: "auto", reference: null },
  targets: [
    {
      name: "resolver",
      addresses: ["10.9.0.53"],
      mac: MACS.one,
      also: {},
      checks: [
        { kind: "tcp", id: "tcp", port: 53 },
        { kind: "dns", id: "dns", name: "a.lan", type: "A", expect: null, transport: "udp", upstream: false, port: 53 },
        { kind: "neighbour", id: "neighbour" },
      ],
    },
    { name: "six", addresses: ["fd09::53"], mac: MACS.one, also: {}, checks: [{ kind: "neighbour", id: "neighbour" }] },
  ],
  links: [],
  spool_max: 10,
};

const sh = (script: string) => execFileSync("sh", ["-euc", script], { stdio: ["ignore", "ignore", "inherit"] });

async function oneRound(): Promise<void> {
  const ports = createProbePorts();
  const result = await runRound({ plan: PLAN, due: () => true, tries: () => 2 }, ports, new AbortController().signal);
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

function build(): void {
  sh("mount -t tmpfs none /run; mkdir -p /run/netns; ip link add br9 type bridge; ip link set br9 up");
  for (const [index, name] of ["asker", "one", "two", "gate"].entries()) {
    sh(`ip netns add ${name}; ip link add v${index} type veth peer name eth0 netns ${name}
        ip link set v${index} master br9 up; ip -n ${name} link set lo up`);
  }
  for (const name of ["one", "two"] as const) {
    sh(`ip -n ${name} link set eth0 address ${MACS[name]}; ip -n ${name} addr add 10.9.0.53/24 dev eth0
        ip -n ${name} addr add fd09::53/64 dev eth0 nodad`);
  }
  sh(`ip -n asker addr add 10.9.0.2/24 dev eth0; ip -n asker addr add fd09::2/64 dev eth0 nodad; ip -n asker link set eth0 up; ip -n asker route add default via 10.9.0.1
      ip -n gate addr add 10.9.0.1/24 dev eth0; ip -n gate link set eth0 up; ip -n one link set eth0 up`);
}

if (process.argv[2] === "ask") {
  await oneRound();
} else {
  build();
  const ask = () => {
    const argv = ["netns", "exec", "asker", process.execPath, fileURLToPath(import.meta.url), "ask"];
    return JSON.parse(execFileSync("ip", argv, { encoding: "utf8" }).trim().split("\n").at(-1)!) as unknown;
  };
  const one = ask();
  sh("ip -n two link set eth0 up");
  const both = ask();
  sh("ip -n one link set eth0 down; ip -n two link set eth0 down; ip -n asker neigh flush dev eth0");
  const none = ask();
  sh("ip -n gate link set eth0 down");
  const blind = ask();
  process.stdout.write(`${JSON.stringify({ one, both, none, blind })}\n`);
}
