/**
 * A client of the house that shares no code with it: asks each target of a configuration by DNS and HTTPS from whatever namespace
 * it runs in, and prints what came back as one JSON object.
 */
import { Resolver } from "node:dns/promises";
import { readFileSync } from "node:fs";
import { request } from "node:https";

interface Ask {
  readonly dns: readonly { readonly server: string; readonly name: string }[];
  readonly https: readonly {
    readonly address: string;
    readonly port: number;
    readonly host: string;
    readonly path: string;
  }[];
  readonly ca: string;
}

const ask = JSON.parse(process.argv[2] ?? "{}") as Ask;
const ca = readFileSync(ask.ca);

async function dns(server: string, name: string): Promise<string> {
  const resolver = new Resolver({ timeout: 1_000, tries: 1 });
  resolver.setServers([server]);
  return resolver.resolve4(name).then(
    (addresses) => addresses.join(),
    (error: NodeJS.ErrnoException) => error.code ?? "failed",
  );
}

function https(address: string, port: number, host: string, path: string): Promise<string> {
  return new Promise((resolve) => {
    const asked = request(
      { host: address, port, servername: host, path, ca, headers: { host }, timeout: 2_000 },
      (response) => {
        response.resume();
        resolve(String(response.statusCode));
      },
    );
    asked.on("timeout", () => asked.destroy(new Error("timeout")));
    asked.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    asked.end();
  });
}

const answers: Record<string, string> = {};
for (const { server, name } of ask.dns) answers[`dns ${server} ${name}`] = await dns(server, name);
for (const { address, port, host, path } of ask.https)
  answers[`https ${address} ${host}${path}`] = await https(address, port, host, path);
process.stdout.write(`${JSON.stringify(answers)}\n`);
