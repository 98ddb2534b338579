import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { resolveHouse } from "../../core/config/house.ts";
import type { CheckConfig, Config } from "../../core/config/schema.ts";
import { monoMillis } from "../../runtime/node/clock.ts";
import { loadConfig } from "../../runtime/node/config-file.ts";

export interface LoopbackOptions {
  readonly config: string;
  readonly faults: readonly string[];
  readonly json: boolean;
}

/** Ports below 1024 are root's. */
const PORT_OFFSET = 20_000;
const NET = "127.8.0";
const say = (text: string) => process.stderr.write(`hairpin lab: ${text}\n`);

/**
 * The same loop without kernel links: hub and vantages are real processes that meet real sockets on 127.8.0.0/24; the host's link and
 * speaker are simulated behind its ports. There is no ARP on loopback, so nothing here shows what layer 2 does.
 */
export async function runLoopback(options: LoopbackOptions): Promise<number> {
  // Before anything is loaded that reads where the lab's files are.
  const root = mkdtempSync(join(tmpdir(), "hairpin-lab-"));
  process.on("exit", () => rmSync(root, { recursive: true, force: true }));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => process.exit(130));
  process.env["HAIRPIN_LAB_ROOT"] = root;
  const { LOOPBACK_FAULTS, LOOPBACK_TOUR } = await import("./faults.ts");
  const names = options.faults.length > 0 ? options.faults : LOOPBACK_TOUR;
  const faults = names.map((name) => LOOPBACK_FAULTS.find((fault) => fault.name === name));
  const unknown = names.filter((_, index) => faults[index] === undefined);
  if (unknown.length > 0) {
    say(
      `${unknown.join(", ")} cannot be shown without kernel links; these can: ${LOOPBACK_FAULTS.map((fault) => fault.name).join(", ")}`,
    );
    return 2;
  }
  const config = onLoopback(loadConfig(options.config, { missingFiles: "warning" }).config);
  const { house } = resolveHouse(config, () => null);
  if (house.links.length !== 1 || Object.keys(house.hosts).length !== 1) {
    say("the loopback lab wants a configuration with one link and one host");
    return 2;
  }
  const [{ planHouse }, { LabHouse }, { Director }, { timelineFor }, { lineOf, SIMULATED }, { runFaults }] =
    await Promise.all([
      import("../house-plan.ts"),
      import("../house.ts"),
      import("../director.ts"),
      import("../timeline.ts"),
      import("./standins.ts"),
      import("../inside.ts"),
    ]);
  const plan = planHouse(house);
  const here = { ...plan, pods: plan.pods.map((pod) => ({ ...pod, ip: pod.addresses[0] ?? pod.ip, ip6: null })) };
  const start = monoMillis();
  const timeline = timelineFor(options.json, start);
  const director = new Director(timeline, start);
  const lab = await LabHouse.onLoopback(config, here, {
    ...director.ears,
    said: (who, said) => {
      const line = who === SIMULATED ? lineOf(said) : null;
      if (line === null) director.ears.said(who, said);
      else director.ears.line(SIMULATED, line);
    },
  });
  timeline.note(
    `The loopback lab: real processes on ${NET}.0/24; link and speaker are simulated, and there is no ARP.`,
  );
  await director.raise(lab);
  return runFaults(
    director,
    timeline,
    faults.flatMap((fault) => fault ?? []),
    false,
  );
}

/** The configuration with every address on loopback and every port above 1024; what needs names or layer 2 is left out. */
function onLoopback(config: Config): Config {
  const moved = structuredClone(config);
  Object.values(moved.targets).forEach((target, index) => {
    target.address = `${NET}.${50 + index}`;
    target.checks = target.checks.map(movePort);
  });
  moved.control = { gateway: null };
  moved.hub = {
    ...moved.hub,
    listen: `${NET}.246:8787`,
    url: `http://${NET}.246:8787`,
    resolvers: [],
    tokens: moved.hub.tokens.map((token) => ({ ...token, from: [] })),
  };
  delete moved.hub.tls;
  for (const host of [moved.host, ...Object.values(moved.hosts ?? {})])
    if (host !== undefined) host.listen = "unix:/run/host.sock";
  moved.notify = moved.notify
    .flatMap((entry) =>
      "home_assistant" in entry ? [{ home_assistant: { ...entry.home_assistant, url: `http://${NET}.10:8123` } }] : [],
    )
    .slice(0, 1);
  moved.vantages = Object.fromEntries(Object.entries(moved.vantages).filter(([, vantage]) => vantage.where !== "host"));
  delete moved.edge;
  return moved;
}

function movePort(check: CheckConfig): CheckConfig {
  if ("dns" in check) return { dns: { ...check.dns, port: check.dns.port + PORT_OFFSET } };
  if ("https" in check) return { https: { ...check.https, port: check.https.port + PORT_OFFSET } };
  if ("tcp" in check) return { tcp: { ...check.tcp, port: check.tcp.port + PORT_OFFSET } };
  return { oidc: { ...check.oidc, port: (check.oidc.port ?? 443) + PORT_OFFSET } };
}
