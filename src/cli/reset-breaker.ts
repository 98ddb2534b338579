import { resolve } from "node:path";
import { commandLine } from "./command-line.ts";
import {
  askHub,
  findHub,
  HubError,
  type HubFlags,
  printJson,
  safe,
  sayProblem,
  tellHub,
  withHub,
} from "./hub-client.ts";

interface Flags extends HubFlags {
  readonly host?: boolean;
  readonly name?: string;
  readonly json?: boolean;
}

/** `hairpin reset-breaker`: only a person closes an open breaker (I12). The hub and the host have one each. */
export async function run(argv: readonly string[]): Promise<number> {
  const program = withHub(commandLine("reset-breaker", "Close the breaker again, after you have looked."))
    .option("--host", "only the breaker of this host, at its own hook, without asking a hub")
    .option("--name <host>", "with --host: which of `hosts:`, where there are several")
    .option("--json", "print the answer");
  program.parse([...argv], { from: "user" });
  const flags = program.opts<Flags>();
  if (flags.host === true) return atHost(flags);
  return tellHub(async () => {
    let reply: Awaited<ReturnType<typeof askHub>>;
    try {
      reply = await askHub(await findHub(flags, "pause"), "POST", "/v1/breaker/reset", {});
    } catch (error) {
      if (!(error instanceof HubError)) throw error;
      throw new HubError(`${error.message}; hairpin reset-breaker --host closes this host's own breaker without a hub`);
    }
    if (reply.status !== 200) return sayProblem(reply);
    if (flags.json) printJson(reply.body);
    else process.stdout.write("the breaker is closed\n");
    return 0;
  });
}

/** At the host's hook as the configuration has it: its unix socket, or its address with a signed request. */
async function atHost(flags: Flags): Promise<number> {
  const [{ loadConfig }, { createHostLink }, { readWebhookSecrets }] = await Promise.all([
    import("../runtime/node/config-file.ts"),
    import("../runtime/node/hub-host-link.ts"),
    import("../runtime/node/hub-keys.ts"),
  ]);
  const { house, dir } = loadConfig(flags.config, { missingFiles: "warning" });
  const names = Object.keys(house.hosts);
  const name = flags.name ?? (names.length === 1 ? names[0]! : null);
  const host = name === null ? undefined : house.hosts[name];
  if (host === undefined) {
    const what =
      names.length === 0 ? "no `host:` is declared" : `say which host is meant: --name ${names.join(" | --name ")}`;
    process.stderr.write(`hairpin reset-breaker: ${flags.config}: ${what}\n`);
    return 2;
  }
  const isUnix = host.listen.startsWith("unix:");
  const where = isUnix ? `unix:${resolve(dir, host.listen.slice("unix:".length))}` : host.listen;
  const keys = isUnix || host.key_file === undefined ? [] : readWebhookSecrets(resolve(dir, host.key_file));
  const link = createHostLink(where, keys);
  const answer = await link.order!({ kind: "reset_breaker" });
  link.close();
  if (answer.kind === "answer") {
    if (flags.json) printJson({ breaker: "closed", host: name });
    else process.stdout.write("the breaker of this host is closed; a hub has one of its own: hairpin reset-breaker\n");
    return 0;
  }
  const detail = "detail" in answer ? answer.detail : "no answer";
  process.stderr.write(
    `hairpin reset-breaker: no closed breaker from the host at ${where}: ${safe(detail)}${hint(detail)}\n`,
  );
  return 3;
}

/** The usual reasons, with what to type. */
function hint(detail: string): string {
  if (detail === "EACCES") return "; type it as root, or as a member of the group hairpin";
  if (detail === "ENOENT" || detail === "ECONNREFUSED") return "; is it running? systemctl status hairpin-host";
  return "";
}
