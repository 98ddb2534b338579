/**
 * The world outside of the demo's house, in the namespace behind its router: workerd with the Worker as wrangler.toml has it, and a
 * receiver that records. One JSON object a line: `{"what":"ready"}`, `{"what":"alert","body":…}`.
 */
import { createServer as createHttp } from "node:http";
import { connect, createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { createTestHarness } from "wrangler";

const say = (said: Record<string, unknown>) => process.stdout.write(`${JSON.stringify(said)}\n`);
const [edge, receiver] = process.argv.slice(2).map((text) => new URL(text!)) as [URL, URL];

// Without these the local runtime asks Cloudflare for things at every start; there is no network here.
process.env["CLOUDFLARE_CF_FETCH_ENABLED"] = "false";
process.env["WRANGLER_SEND_METRICS"] = "false";
process.env["WRANGLER_LOG"] = "error";

const harness = createTestHarness({
  root: fileURLToPath(new URL("../", import.meta.url)),
  workers: [
    {
      configPath: "./wrangler.toml",
      secrets: {
        ADMIN_TOKENS: process.env["EDGE_ADMIN"] ?? "",
        READ_TOKENS: process.env["EDGE_READ"] ?? "",
      },
    },
  ],
});
const { url } = await harness.listen();

/** The harness listens on a port of its own choice on 127.0.0.1; the house dials an address of the world. */
createServer((client) => {
  const upstream = connect(Number(url.port), "127.0.0.1");
  const end = () => {
    client.destroy();
    upstream.destroy();
  };
  client.on("error", end);
  upstream.on("error", end);
  client.pipe(upstream).pipe(client);
}).listen(Number(edge.port), edge.hostname, () => say({ what: "ready", runtime: url.origin }));

createHttp((request, response) => {
  let body = "";
  request.setEncoding("utf8").on("data", (chunk: string) => {
    body += chunk;
  });
  request.on("end", () => {
    response.writeHead(200).end("ok\n");
    say({ what: "alert", body });
  });
}).listen(Number(receiver.port), receiver.hostname);
