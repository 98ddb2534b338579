import { execFileSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decode, encode } from "dns-packet";
import type { Plan } from "../../../src/core/plan.ts";
import { runRound } from "../../../src/probes/round.ts";
import { createProbePorts } from "../../../src/runtime/node/probe-ports.ts";

/**
 * A machine of its own with two resolvers on port 53: the guarded one, which knows the house, and a public one, which does not. Prints
 * what a round with `as_system` says under each resolv.conf, as JSON.
 */
const [GUARDED, PUBLIC, NOBODY] = ["127.0.0.1", "127.0.0.2", "127.0.0.9"] as const;
const NAME = "auth.example.lan";
const SAYS = { [GUARDED]: "10.9.0.50", [PUBLIC]: "203.0.113.7" } as const;

const PLAN: Plan = {
  type: "hairpin.plan.v1",
  site: "attic",
  vantage: "asker",
  where: "lan",
  schedule: "*/10 * * * * *",
  offset_ms: 0,
  control: { gateway: null, reference: null },
  targets: [
    {
      name: "resolver",
      addresses: [GUARDED],
      mac: null,
      also: {},
      checks: [
        {
          kind: "dns",
          id: "dns",
          name: NAME,
          type: "A",
          expect: [SAYS[GUARDED]],
          transport: "udp",
          upstream: false,
          port: 53,
          as_system: true,
        },
      ],
    },
  ],
  links: [],
  spool_max: 10,
};

function serve(address: string, data: string): Promise<void> {
  const socket = createSocket("udp4");
  socket.on("message", (query, from) => {
    const { id, questions } = decode(query);
    const answers = questions[0]?.type === "A" ? [{ name: questions[0].name, type: "A", ttl: 1, data }] : [];
    socket.send(
      encode({ type: "response", id, flags: 0x0180, questions: [...questions], answers }),
      from.port,
      from.address,
    );
  });
  return new Promise((resolve) => socket.bind(53, address, resolve));
}

/** Puts a file of ours in the place of one of the system's, in this mount namespace alone. */
function shadow(path: string): (text: string) => void {
  const own = join(folder, path.replaceAll("/", "-"));
  writeFileSync(own, "");
  execFileSync("mount", ["--bind", own, path]);
  return (text) => writeFileSync(own, text);
}

const folder = mkdtempSync(join(tmpdir(), "hairpin-system-"));
execFileSync("ip", ["link", "set", "lo", "up"]);
shadow("/etc/nsswitch.conf")("hosts: files dns\n");
const hosts = shadow("/etc/hosts");
const resolvConf = shadow("/etc/resolv.conf");
await Promise.all([serve(GUARDED, SAYS[GUARDED]), serve(PUBLIC, SAYS[PUBLIC])]);
const ports = createProbePorts({ whoHas: false });

async function round(server: string, known = "") {
  hosts(`127.0.0.1 localhost\n${known}`);
  resolvConf(`nameserver ${server}\noptions timeout:1 attempts:1\n`);
  const { checks } = await runRound(
    { plan: PLAN, due: () => true, tries: () => 1 },
    ports,
    new AbortController().signal,
  );
  return checks[0];
}

const rounds = {
  guarded: await round(GUARDED),
  fallen: await round(PUBLIC),
  hosts: await round(PUBLIC, `${SAYS[GUARDED]} ${NAME}\n`),
  silent: await round(NOBODY),
};
process.stdout.write(`${JSON.stringify(rounds)}\n`);
rmSync(folder, { recursive: true });
process.exit(0);
