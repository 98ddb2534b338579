import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

const root = new URL("../../", import.meta.url).pathname;
/** What a Worker of ours may weigh: small enough to start within milliseconds. Kilobytes of 1,000 bytes. */
const BUNDLE_MAX = 60_000;

for (const environment of ["", "house"]) {
  test(`wrangler deploy --dry-run passes for ${environment === "" ? "the top level" : `env.${environment}`}, offline and under 60 KB gzipped`, () => {
    const out = mkdtempSync(join(tmpdir(), "hairpin-worker-"));
    try {
      const wrangler = `${root}node_modules/wrangler/bin/wrangler.js`;
      const args = [wrangler, "deploy", `--env=${environment}`, "--dry-run", "--outdir", out, "--minify"];
      const run = spawnSync(process.execPath, args, {
        cwd: root,
        encoding: "utf8",
        timeout: 60_000,
        env: { ...process.env, CLOUDFLARE_CF_FETCH_ENABLED: "false", WRANGLER_SEND_METRICS: "false" },
      });
      assert.equal(run.status, 0, run.stderr);
      for (const binding of ["env.SITES (Site)", "env.FLEET (Fleet)"])
        assert.equal(run.stdout.includes(binding), true, binding);
      const bundle = readFileSync(join(out, "main.js"));
      assert.match(bundle.toString(), /healthz/);
      const size = gzipSync(bundle).length;
      assert.equal(size < BUNDLE_MAX, true, `${size} bytes gzipped`);
    } finally {
      rmSync(out, { recursive: true });
    }
  });
}
