import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { hostApp } from "../../src/hooks/host.ts";
import { listen } from "../../src/runtime/node/host-server.ts";
import { runHairpin } from "../support/command.ts";

const directory = mkdtempSync(join(tmpdir(), "hairpin-breaker-"));
after(() => rmSync(directory, { recursive: true, force: true }));

const config = join(directory, "hairpin.yaml");

function configured(listenOn: string): string {
  writeFileSync(config, `site: home\nhost: { listen: ${JSON.stringify(listenOn)} }\n`);
  return config;
}

test("reset-breaker --host closes the host's breaker at its own socket, without a hub", async () => {
  const socket = join(directory, "host.sock");
  let closed = 0;
  let takes = true;
  const app = hostApp({
    host: {
      submit: () => Promise.reject(new Error("not asked")),
      find: () => null,
      facts: async () => null,
      heard: () => {},
      resetBreaker: () => {
        closed++;
        return takes;
      },
      pause: () => "",
      resume: () => {},
    },
    verify: null,
    log: () => {},
  });
  const listening = await listen(`unix:${socket}`, (request) => app.fetch(request));
  try {
    const file = configured(`unix:${socket}`);
    const run = await runHairpin(["reset-breaker", "--host", "--config", file, "--json"]);
    assert.deepEqual([run.code, JSON.parse(run.out), closed], [0, { breaker: "closed", host: "default" }, 1], run.err);
    takes = false;
    const refused = await runHairpin(["reset-breaker", "--host", "--config", file]);
    assert.deepEqual([refused.code, refused.out], [3, ""]);
    assert.match(refused.err, /the host answered 503/);
  } finally {
    await listening.close();
  }
});

test("a host that does not run, or is not declared, is said with what to type", async () => {
  const absent = await runHairpin(["reset-breaker", "--host", "--config", configured(`unix:${directory}/none.sock`)]);
  assert.equal(absent.code, 3);
  assert.match(absent.err, /systemctl status hairpin-host/);
  writeFileSync(config, "site: home\n");
  const none = await runHairpin(["reset-breaker", "--host", "--config", config]);
  assert.equal(none.code, 2);
  assert.match(none.err, /no `host:` is declared/);
  writeFileSync(config, "site: home\nhosts: { n5: {}, n6: {} }\n");
  const several = await runHairpin(["reset-breaker", "--host", "--config", config]);
  assert.match(several.err, /--name n5 \| --name n6/);
  const hub = await runHairpin(["reset-breaker", "--url", "http://127.0.0.1:1"]);
  assert.equal(hub.code, 3);
  assert.match(hub.err, /reset-breaker --host/);
});
