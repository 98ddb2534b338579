import { statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { verify } from "../core/standard-webhooks.ts";
import { hostApp } from "../hooks/host.ts";
import { createHost } from "../host/host.ts";
import { loadConfig } from "../runtime/node/config-file.ts";
import { hmac } from "../runtime/node/hmac.ts";
import { createHostPorts, setupOf } from "../runtime/node/host-ports.ts";
import { type Listening, listen } from "../runtime/node/host-server.ts";
import { KubeconfigError, readKubeconfig } from "../runtime/node/kubeconfig.ts";
import { MODULES_FOLDER, restartLean } from "../runtime/node/lean.ts";
import { followLinks } from "../runtime/node/link-events.ts";
import { createLog } from "../runtime/node/log.ts";
import { removePause, writePause } from "../runtime/node/pause-file.ts";
import { runDirectory } from "../runtime/node/run-directory.ts";
import { readSecrets } from "../runtime/node/secret-file.ts";
import { defaultConfig } from "./command-line.ts";

const USAGE = `Usage: hairpin host [--config FILE] [--name HOST]

Guards the declared link, runs the repairs that the hub asks for, and reports what this host sees.
  --config FILE   default ./hairpin.yaml, else /etc/hairpin/hairpin.yaml; must not be writable by anybody else
  --name HOST     which of \`hosts:\` this one is, where there are several
  --json          log JSON lines at a terminal, too; anywhere else they are JSON anyway
`;

/** Time that a running repair has to end before the process goes; what does not end is closed at the next start. */
const CLOSE_MS = 1_500;

export async function run(argv: readonly string[]): Promise<number> {
  const { values } = parsed(argv);
  if (values === null || values.help) {
    (values === null ? process.stderr : process.stdout).write(USAGE);
    return values === null ? 2 : 0;
  }
  const file = values.config ?? defaultConfig();
  const unsafe = writableByOthers(file);
  if (unsafe !== null) {
    process.stderr.write(`${unsafe}\n`);
    return 2;
  }
  const { house, dir } = loadConfig(file);
  const found = setupOf(house, values.name ?? null);
  if (found === null) {
    const names = Object.keys(house.hosts);
    process.stderr.write(
      `${file}: ${names.length === 0 ? "no `host:` is declared" : `say which host this is: --name ${names.join(" | ")}`}\n`,
    );
    return 2;
  }
  const { setup, host } = found;
  const secrets = host.key_file === undefined ? [] : readSecrets(resolve(dir, host.key_file));
  if (setup.speaker !== null) {
    const problem = unsafeKubeconfig(resolve(dir, setup.speaker.kubeconfig_file));
    if (problem !== null) {
      process.stderr.write(`${problem}\n`);
      return 2;
    }
  }
  restartLean(join(resolve(dir, host.journal), MODULES_FOLDER), ["host", "--help"]);
  const log = createLog("host", values.json);
  const ports = createHostPorts(setup, host, dir, log);
  const ip = ports.tool("ip");
  if (ip === null) {
    process.stderr.write("hairpin host needs `ip`: apt install iproute2\n");
    return 3;
  }
  const guardian = createHost(setup, ports);
  const source = followLinks(ip, guardian.hear, guardian.refresh);
  await guardian.start();

  const isUnix = host.listen.startsWith("unix:");
  const app = hostApp({
    host: {
      submit: guardian.repairs.submit,
      find: guardian.repairs.find,
      facts: guardian.facts,
      heard: guardian.heard,
      resetBreaker: guardian.resetBreaker,
      pause: (forMillis, reason) => writePause(runDirectory(), forMillis, reason),
      resume: () => removePause(runDirectory()),
    },
    verify: isUnix ? null : (headers, body) => verify(secrets, headers, body, Date.now() / 1_000, hmac),
    log: (level, fields, message) => log[level](fields, message),
  });
  let listening: Listening;
  try {
    listening = await listen(
      isUnix ? `unix:${resolve(dir, host.listen.slice("unix:".length))}` : host.listen,
      (request) => app.fetch(request),
    );
  } catch (error) {
    source.stop();
    process.stderr.write(`${(error as Error).message}\n`);
    return 1;
  }
  log.info(
    { event: "ready", listen: host.listen, links: guardian.links, armed: setup.armed, guard: setup.guard },
    `guards ${guardian.links.join(", ") || "nothing"}`,
  );

  await signalled();
  source.stop();
  await guardian.stop();
  await listening.close();
  await Promise.race([guardian.repairs.settled(), new Promise((end) => setTimeout(end, CLOSE_MS))]);
  await ports.close();
  return 0;
}

function parsed(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        config: { type: "string" },
        name: { type: "string" },
        json: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
      strict: true,
    });
  } catch (error) {
    process.stderr.write(`hairpin host: ${(error as Error).message}\n`);
    return { values: null };
  }
}

function signalled(): Promise<void> {
  return new Promise((end) => {
    process.once("SIGTERM", () => end());
    process.once("SIGINT", () => end());
  });
}

/**
 * The host acts on what its file says, with rights that its writer may not have: a file that others may write, or replace in its
 * directory, is refused. Null when it is safe.
 */
export function writableByOthers(file: string): string | null {
  const own = process.getuid?.() ?? 0;
  const path = resolve(file);
  const directory = dirname(path);
  try {
    const stat = statSync(path);
    const octal = (mode: number) => (mode & 0o1777).toString(8).padStart(4, "0");
    if (stat.uid !== 0 && stat.uid !== own)
      return `${path} belongs to uid ${stat.uid}, neither root nor this process: chown root ${path}`;
    if ((stat.mode & 0o022) !== 0)
      return `${path} can be written by others (mode ${octal(stat.mode)}): chmod go-w ${path}`;
    const around = statSync(directory);
    // In a sticky directory, such as /tmp, others cannot replace the file.
    if ((around.mode & 0o1002) === 0o002)
      return `${directory} can be written by others (mode ${octal(around.mode)}), so they can replace ${path}: chmod o-w ${directory}`;
    return null;
  } catch {
    return null; // loadConfig says what is wrong with it.
  }
}

/** A kubeconfig that is not there yet is waited for, since the guard must work without a cluster; one that others can read is refused. */
function unsafeKubeconfig(path: string): string | null {
  try {
    readKubeconfig(path);
    return null;
  } catch (error) {
    return error instanceof KubeconfigError && error.isUnsafe ? error.message : null;
  }
}
