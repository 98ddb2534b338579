import { existsSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { House } from "../core/config/house.ts";
import type { SpeakerConfig } from "../core/config/schema.ts";
import { loadConfig } from "../runtime/node/config-file.ts";
import {
  type CheckedRight,
  type HostToken,
  readHostToken,
  reviewRights,
  rightsOf,
  SECRET,
} from "../runtime/node/kube-rights.ts";
import { type KubeAccess, KubeconfigError, parseKubeconfig, readKubeconfig } from "../runtime/node/kubeconfig.ts";
import { hostKubeconfig, hostUser, judgeServer, manifest, serverOf } from "../runtime/node/kubeconfig-write.ts";
import { createApi } from "../runtime/node/kubernetes.ts";
import { writePrivateFile } from "../runtime/node/private-file.ts";
import { commandLine, defaultConfig } from "./command-line.ts";
import { printJson, printTable, safe } from "./hub-client.ts";

interface Flags {
  readonly config: string;
  readonly from?: string;
  readonly out?: string;
  readonly server?: string;
  readonly speaker?: string;
  readonly force?: boolean;
  readonly check?: boolean;
  readonly printManifest?: boolean;
  readonly announce?: boolean;
  readonly json?: boolean;
}

const [FAILED, USAGE, CANNOT_TELL] = [1, 2, 3] as const;
/** Where k0s keeps its administrator's access. */
const K0S_ADMIN = "/var/lib/k0s/pki/admin.conf";

/** `hairpin kubeconfig`: the rights of the host in the cluster, as a file; what it may; what to apply. */
export async function run(argv: readonly string[]): Promise<number> {
  const program = commandLine("kubeconfig", "Write the kubeconfig of the host process, or check what it may.")
    .option("--config <file>", "the configuration", defaultConfig())
    .option("--from <file>", `an administrator's kubeconfig (default: $KUBECONFIG, else ${K0S_ADMIN})`)
    .option("--out <file>", "what to write or check (default: the speaker's kubeconfig_file)")
    .option("--server <url>", "the API server that the host dials, instead of the administrator's")
    .option("--speaker <name>", "which of `speakers:`, where there are several")
    .option("--force", "replace a file that is there")
    .option("--check", "ask the API, with the host's own token, for each right: there, missing, or too much")
    .option("--print-manifest", "print what to apply: account, token and rights, in the configured namespace")
    .option("--announce", "with --print-manifest: also the optional right to annotate the speaker's services")
    .option("--json", "print one JSON document");
  program.parse([...argv], { from: "user" });
  const flags = program.opts<Flags>();
  const { house, dir } = loadConfig(flags.config, { missingFiles: "warning" });
  const speaker = speakerOf(house, flags);
  if (typeof speaker === "string") return refuse(speaker, USAGE);
  if (flags.printManifest === true) {
    process.stdout.write(manifest(speaker, flags.announce === true));
    return 0;
  }
  const out = flags.out === undefined ? resolve(dir, speaker.kubeconfig_file) : resolve(flags.out);
  try {
    return flags.check === true ? await check(house, speaker, out, flags) : await write(house, speaker, out, flags);
  } catch (error) {
    if (!(error instanceof KubeconfigError)) throw error;
    return refuse(error.message, USAGE);
  }
}

function refuse(message: string, code: number): number {
  process.stderr.write(`hairpin kubeconfig: ${safe(message)}\n`);
  return code;
}

/** The speaker that is meant; a string says why none is. */
function speakerOf(house: House, { config, speaker: wanted }: Flags): SpeakerConfig | string {
  const names = Object.keys(house.speakers);
  if (names.length === 0) return `${config}: no \`speaker:\` is declared: hairpin asks nothing of Kubernetes there`;
  const found = house.speakers[wanted ?? (names.length === 1 ? names[0]! : "")];
  return found ?? `say which speaker is meant: --speaker ${names.join(" | --speaker ")}`;
}

function administrator(flags: Flags): KubeAccess {
  const listed = (process.env["KUBECONFIG"] ?? "").split(":").filter((path) => path !== "");
  const path = flags.from ?? listed.find((each) => existsSync(each)) ?? listed[0] ?? K0S_ADMIN;
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new KubeconfigError(
      `the administrator's kubeconfig ${path} cannot be read (${code}); name one with --from FILE${code === "EACCES" ? ", or type this as root" : ""}`,
    );
  }
  return parseKubeconfig(text, (file) => readFileSync(resolve(dirname(path), file), "utf8"));
}

async function write(house: House, speaker: SpeakerConfig, out: string, flags: Flags): Promise<number> {
  if (existsSync(out) && flags.force !== true)
    return refuse(`${out} is there already and was left alone; --force replaces it, --check says what it may`, USAGE);
  const admin = administrator(flags);
  const server = flags.server?.replace(/\/+$/, "") ?? serverOf(admin);
  const { problem, warning } = await judgeServer(house, server);
  if (problem !== null) return refuse(problem, USAGE);
  const api = createApi(() => admin);
  const answer = await readHostToken(api, speaker.namespace);
  await api.close();
  if (!answer.ok) {
    if (answer.status === 404) return refuse(missing(speaker), FAILED);
    return refuse(`${serverOf(admin)}: ${answer.detail}`, answer.status === null ? CANNOT_TELL : FAILED);
  }
  const token = answer.value;
  if (token === null)
    return refuse(
      `secret ${speaker.namespace}/${SECRET} has no token yet: is the ServiceAccount hairpin-host there? ${apply(speaker)}`,
      FAILED,
    );
  const owner = flags.out === undefined ? hostUser() : null;
  return save(house, { out, server, warning, token, owner, serverName: admin.serverName }, flags);
}

interface Draft {
  readonly out: string;
  readonly server: string;
  readonly warning: string | null;
  readonly token: HostToken;
  readonly owner: ReturnType<typeof hostUser>;
  readonly serverName: string | null;
}

function save(house: House, { out, server, warning, token, owner, serverName }: Draft, flags: Flags): number {
  try {
    writePrivateFile(out, hostKubeconfig(house.site, server, serverName, token), {
      force: flags.force === true,
      owner,
    });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === "EEXIST" ? "it is there already; --force replaces it" : (code ?? message);
    return refuse(`${out} was not written: ${why}`, code === "EEXIST" ? USAGE : FAILED);
  }
  const next = [
    ...(owner === null ? [`chown hairpin-host: ${out}     # the user of the host process, where that is not you`] : []),
    `hairpin kubeconfig --check${flags.out === undefined ? "" : ` --out ${out}`}`,
  ];
  if (flags.json) printJson({ file: out, server, warnings: warning === null ? [] : [warning], next });
  else {
    process.stdout.write(`wrote ${out} (mode 0600) for ${server}; it holds a token\n`);
    if (warning !== null) process.stderr.write(`hairpin kubeconfig: ${safe(warning)}\n`);
    process.stdout.write(`Next:\n${next.map((line) => `  ${line}\n`).join("")}`);
  }
  return 0;
}

const apply = (speaker: SpeakerConfig): string =>
  speaker.namespace === "metallb-system"
    ? "kubectl apply -k deploy/kubernetes"
    : "hairpin kubeconfig --print-manifest | kubectl apply -f -";

function missing(speaker: SpeakerConfig): string {
  return `secret ${speaker.namespace}/${SECRET} is missing: its account and rights were not applied yet. Type:\n  ${apply(speaker)}\nand this command again`;
}

async function check(house: House, speaker: SpeakerConfig, file: string, flags: Flags): Promise<number> {
  if (!existsSync(file)) return refuse(`${file} is not there; hairpin kubeconfig writes it`, USAGE);
  const access = readKubeconfig(file);
  const { problem, warning } = await judgeServer(house, serverOf(access));
  const api = createApi(() => access);
  const answer = await reviewRights(api, rightsOf(house, speaker));
  await api.close();
  if (!answer.ok) return refuse(`${serverOf(access)}: ${answer.detail}`, CANNOT_TELL);
  const rights = answer.value;
  const found = (state: CheckedRight["state"]) => rights.filter((right) => right.state === state);
  const bad = found("missing").length + found("too_much").length + (problem === null ? 0 : 1);
  const code = bad > 0 ? FAILED : found("unknown").length > 0 ? CANNOT_TELL : 0;
  const warnings = [problem, warning].filter((each) => each !== null);
  if (flags.json) {
    const shown = rights.map(({ namespace, ...right }) => ({
      ...right,
      namespace: namespace === "" ? null : namespace,
    }));
    printJson({ ok: code === 0, file, server: serverOf(access), warnings, rights: shown });
    return code;
  }
  report(rights);
  for (const text of warnings) process.stdout.write(`${safe(text)}\n`);
  if (found("missing").length > 0) process.stdout.write(`Missing rights: ${apply(speaker)}\n`);
  if (found("too_much").length > 0)
    process.stdout.write(
      `Too much: this token should be the one of hairpin-host alone, with the rights of hairpin kubeconfig --print-manifest\n`,
    );
  return code;
}

const WORDS: Readonly<Record<CheckedRight["state"], string>> = {
  there: "ok",
  absent: "-",
  missing: "MISSING",
  too_much: "TOO MUCH",
  unknown: "?",
};

function report(rights: readonly CheckedRight[]): void {
  const rows = rights.map((right) => {
    const note = right.wanted === "needed" ? "" : right.wanted === "optional" ? " (optional)" : " (must not be)";
    const object = right.name === null ? right.resource : `${right.resource}/${right.name}`;
    return [WORDS[right.state], right.verb, object, right.namespace || "everywhere", `${right.why}${note}`];
  });
  printTable([["", "VERB", "RESOURCE", "NAMESPACE", "FOR"], ...rows]);
}
