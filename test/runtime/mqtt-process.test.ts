import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { freePort, listener, NO_MOSQUITTO, realBroker } from "../support/mosquitto.ts";

const MAIN = new URL("../../src/cli/main.ts", import.meta.url).pathname;

test("a hub that is killed is offline in Home Assistant at once, by its last will, and a new one is online again", {
  skip: NO_MOSQUITTO,
  timeout: 60_000,
}, async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "hairpin-mqtt-"));
  const broker = await realBroker({ hairpin: "s3cr3t", ears: "e" });
  const ears = await listener(broker.port, "hairpin/#", { username: "ears", password: "e" });
  const port = await freePort();
  mkdirSync(join(dir, "keys"));
  for (const [name, text] of [
    ["lan", `whsec_${randomBytes(32).toString("base64")}`],
    ["mqtt", "s3cr3t\n"],
  ] as const)
    writeFileSync(join(dir, "keys", name), text, { mode: 0o600 });
  const config = join(dir, "hairpin.yaml");
  writeFileSync(
    config,
    `site: home
targets: { dns: { address: 192.0.2.53, checks: [{ dns: { name: a.example } }] } }
vantages: { lan: { where: lan, key_file: keys/lan } }
hub: { listen: "127.0.0.1:${port}", url: "http://127.0.0.1:${port}", data: ${join(dir, "data")} }
notify:
  - mqtt: { url: "mqtt://127.0.0.1:${broker.port}", username: hairpin, password_file: keys/mqtt }
`,
  );
  const start = () => spawn(process.execPath, [MAIN, "hub", "--config", config], { stdio: "ignore" });
  let hub = start();
  t.after(async () => {
    hub.kill("SIGKILL");
    await ears.close();
    await broker.stop();
    rmSync(dir, { recursive: true, force: true });
  });
  await ears.says("hairpin/home/availability", "online");
  hub.kill("SIGKILL");
  await ears.says("hairpin/home/availability", "offline");
  const before = ears.heard.length;
  hub = start();
  await ears.says("hairpin/home/availability", "online", before);
  const then = ears.heard.length;
  const gone = new Promise((resolve) => hub.once("exit", resolve));
  hub.kill("SIGTERM");
  await ears.says("hairpin/home/availability", "offline", then);
  assert.equal(await gone, 0);
});
