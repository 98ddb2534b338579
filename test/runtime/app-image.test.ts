import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { freePort } from "../faults/house-on-loopback.ts";
import { eventually } from "../support/app.ts";
import { appImage } from "../support/app-image.ts";
import { secret } from "../support/hub.ts";
import { standInSupervisor } from "../support/stand-in-supervisor.ts";

const root = new URL("../../", import.meta.url).pathname;
const JOINED = { hub: "http://127.0.0.1:1", site: "home", vantage: "vm", key: secret("vm") };

test("what is in the image starts with the supervisor's options file, lives by its health check, and stops at once; without a token it says what to do", {
  timeout: 90_000,
}, async () => {
  const place = mkdtempSync(join(tmpdir(), "hairpin-image-"));
  const supervisor = await standInSupervisor(() => 0);
  try {
    const packed = spawnSync("bash", [`${root}deploy/homeassistant/app/pack.sh`, join(place, "packed")]);
    assert.equal(packed.status, 0, packed.stderr.toString());
    const opt = join(place, "opt", "hairpin");
    for (const name of ["src", "package.json", "LICENSE"])
      cpSync(join(place, "packed", "hairpin", name), join(opt, name), { recursive: true });
    symlinkSync(`${root}node_modules`, join(opt, "node_modules"));
    mkdirSync(join(place, "data"));
    const image = appImage((word) => word.replace(/^\/(opt|data)\//, `${place}/$1/`));
    const port = await freePort();
    const env = {
      PATH: process.env["PATH"] ?? "",
      ...image.env,
      ...supervisor.env,
      HAIRPIN_INGRESS: `127.0.0.1:${port}`,
    };
    const alive = () =>
      spawnSync(join(place, "packed/hairpin/rootfs/usr/local/bin/hairpin-alive"), { env, timeout: 10_000 }).status;
    const options = join(place, "data", "options.json");
    const [, ...args] = image.command;

    writeFileSync(options, JSON.stringify({ join_token: "", hub_gone_minutes: -1, log_level: "loud" }));
    const refused = spawnSync(process.execPath, args, { env, encoding: "utf8", timeout: 20_000 });
    assert.equal(refused.status, 2);
    assert.match(refused.stderr, /join_token: paste what .*; log_level: .*; hub_gone_minutes: a whole number from 0/);
    assert.notEqual(alive(), 0);

    const join_token = `hairpin1.${Buffer.from(JSON.stringify(JOINED)).toString("base64url")}`;
    const all = { who_has: false, heal_button: true, hub_gone_minutes: 3, log_level: "debug" };
    writeFileSync(options, JSON.stringify({ join_token, ...all }), { mode: 0o600 });
    const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    await eventually(
      async () => output,
      (text) => text.includes('"event":"ingress"') && text.includes('"event":"broker"'),
    );
    assert.equal(alive(), 0, "a hub that is away is no illness");
    assert.match(output, /"from":\["172\.30\.32\.2"\]/);
    assert.ok(!output.includes(JOINED.key.slice(6)) && !output.includes("brokers-secret"));
    child.kill("SIGSTOP");
    assert.notEqual(alive(), 0, "a process that hangs is ill");
    child.kill("SIGCONT");
    child.kill("SIGTERM");
    assert.equal(await new Promise((resolve) => child.once("exit", resolve)), 0);
  } finally {
    supervisor.close();
    rmSync(place, { recursive: true, force: true });
  }
});
