import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { serve } from "@hono/node-server";
import { edgeApp } from "../../src/hooks/edge.ts";

const root = new URL("../../", import.meta.url).pathname;
const version = (JSON.parse(readFileSync(`${root}package.json`, "utf8")) as { version: string }).version;
// Without these the local runtime asks Cloudflare for things at every start; the tests are offline.
process.env["CLOUDFLARE_CF_FETCH_ENABLED"] = "false";
process.env["WRANGLER_SEND_METRICS"] = "false";
process.env["WRANGLER_LOG"] = "error";

/** One contract, on each real runtime. */
interface Runtime {
  readonly name: string;
  /** Starts it on a free port of 127.0.0.1 and answers its URL. */
  readonly start: () => Promise<string>;
  readonly stop: () => Promise<void>;
}

function onNode(): Runtime {
  let server: ReturnType<typeof serve> | undefined;
  return {
    name: "Node",
    start: () =>
      new Promise((resolve) => {
        const { fetch } = edgeApp({ version });
        server = serve({ fetch, hostname: "127.0.0.1", port: 0 }, (info: AddressInfo) =>
          resolve(`http://127.0.0.1:${info.port}`),
        );
      }),
    stop: () => new Promise((resolve) => (server ? server.close(() => resolve()) : resolve())),
  };
}

function onWorkerd(): Runtime {
  let stop = async (): Promise<void> => {};
  return {
    name: "workerd",
    start: async () => {
      const { createTestHarness } = await import("wrangler");
      const harness = createTestHarness({ root, workers: [{ configPath: "./wrangler.toml" }] });
      stop = () => harness.close();
      const { url } = await harness.listen();
      return url.origin;
    },
    stop: () => stop(),
  };
}

for (const runtime of [onNode(), onWorkerd()]) {
  describe(`the edge on ${runtime.name}`, () => {
    let url = "";
    before(async () => {
      url = await runtime.start();
    });
    after(() => runtime.stop());

    test("GET /healthz says that it lives, and in which version", async () => {
      const reply = await fetch(`${url}/healthz`);
      assert.equal(reply.status, 200);
      assert.match(reply.headers.get("content-type") ?? "", /^application\/json/);
      assert.equal(reply.headers.get("x-content-type-options"), "nosniff");
      assert.deepEqual(await reply.json(), { status: "ok", version });
    });

    test("HEAD /healthz answers without a body", async () => {
      const reply = await fetch(`${url}/healthz`, { method: "HEAD" });
      assert.equal(reply.status, 200);
      assert.equal(await reply.text(), "");
    });

    test("another method is a 405 with Allow, another path a 404, both as a problem document", async () => {
      const method = await fetch(`${url}/healthz`, { method: "POST", body: "{}" });
      assert.equal(method.status, 405);
      assert.equal(method.headers.get("allow"), "GET, HEAD");
      const path = await fetch(`${url}/v1/sites/home/status`);
      assert.equal(path.status, 404);
      assert.match(path.headers.get("content-type") ?? "", /^application\/problem\+json/);
      assert.equal(((await path.json()) as { status: number }).status, 404);
    });
  });
}

for (const environment of ["", "house"]) {
  test(`wrangler deploy --dry-run passes for ${environment === "" ? "the top level" : `env.${environment}`}, offline`, () => {
    const out = mkdtempSync(join(tmpdir(), "hairpin-worker-"));
    try {
      const wrangler = `${root}node_modules/wrangler/bin/wrangler.js`;
      const args = [wrangler, "deploy", `--env=${environment}`, "--dry-run", "--outdir", out, "--minify"];
      const run = spawnSync(process.execPath, args, {
        cwd: root,
        encoding: "utf8",
        timeout: 60_000,
      });
      assert.equal(run.status, 0, run.stderr);
      assert.match(readFileSync(join(out, "main.js"), "utf8"), /healthz/);
    } finally {
      rmSync(out, { recursive: true });
    }
  });
}
