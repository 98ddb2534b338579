import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { sign } from "../../src/core/standard-webhooks.ts";
import { hmac } from "../../src/runtime/node/hmac.ts";
import { round } from "../support/hub.ts";
import { hairpin, type Running, start, writeHouse } from "./house-on-loopback.ts";

/**
 * I27: no secret appears in any output. Every secret carries a mark; hub, host and vantage run with them in a namespace of their own
 * (the host would make its link on this machine otherwise), are made to say as much as they can, and all of it is searched.
 */
const NAMESPACE = ["-Urnmpf", "--mount-proc", "--kill-child"];
const MARK = "CANARY";

if (process.env["HAIRPIN_INSIDE"] === undefined) {
  const probe = spawnSync("unshare", [...NAMESPACE, "ip", "link", "set", "lo", "up"], { encoding: "utf8" });
  const refused = probe.status === 0 ? false : `no user namespace here: ${probe.error?.message ?? probe.stderr.trim()}`;
  test("no secret appears in any output of hub, host, vantage and commands, whatever goes wrong (I27)", {
    skip: refused,
  }, () => {
    const args = [...NAMESPACE, process.execPath, "--test-reporter=spec", fileURLToPath(import.meta.url)];
    const env = { PATH: process.env["PATH"], HAIRPIN_INSIDE: "1" };
    const run = spawnSync("unshare", args, { encoding: "utf8", timeout: 120_000, killSignal: "SIGKILL", env });
    assert.equal(run.status, 0, `${run.stdout}\n${run.stderr}`);
  });
} else test("inside", { timeout: 100_000 }, inside);

/** A key of Standard Webhooks whose bytes carry the mark. */
const keyOf = (name: string) =>
  `whsec_${Buffer.from(`${MARK}-${name}-${"k".repeat(24)}`.slice(0, 36)).toString("base64")}`;
const tokenOf = (name: string) => `${MARK}-token-${name}-0123456789abcdef`;

async function inside(): Promise<void> {
  spawnSync("ip", ["link", "set", "lo", "up"]);
  spawnSync("ip", ["link", "add", "house0", "type", "bridge"]);
  spawnSync("ip", ["link", "set", "house0", "up"]);
  /** A receiver that refuses everything, so that every delivery fails and says so. */
  const bodies: string[] = [];
  const receiver = createServer((asked, answer) => {
    asked.on("data", (chunk: Buffer) => void bodies.push(chunk.toString()));
    asked.on("end", () => answer.writeHead(asked.url?.includes("gone") ? 410 : 500).end("no"));
  });
  await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
  const sink = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;

  const house = await writeHouse();
  const secrets: string[] = [];
  const keep = (name: string, text: string) => {
    house.key(name, text);
    secrets.push(text, text.replace(/^whsec_/, ""));
    return `keys/${name}`;
  };
  mkdirSync(join(house.directory, "run"));
  const kubeconfig = {
    "current-context": "c",
    contexts: [{ name: "c", context: { cluster: "k", user: "u" } }],
    clusters: [{ name: "k", cluster: { server: "http://127.0.0.1:1" } }],
    users: [{ name: "u", user: { token: tokenOf("kubernetes") } }],
  };
  keep("kube", JSON.stringify(kubeconfig));
  secrets.push(tokenOf("kubernetes"), tokenOf("path"));
  house.write({
    link: { name: "lb0", parent: "house0", mac: "02:5a:5f:84:40:e8" },
    speaker: { node: "n5", kubeconfig_file: "keys/kube", services: ["network/dns"] },
    host: { listen: "127.0.0.1:8788", armed: true, key_file: keep("host", keyOf("host")), journal: "journal" },
    vantages: {
      lan: { where: "lan", key_file: keep("lan", keyOf("lan")) },
      vm: { where: "vm", key_file: keep("vm", keyOf("vm")) },
    },
    hub: {
      listen: `127.0.0.1:${house.port}`,
      url: `http://127.0.0.1:${house.port}`,
      data: "data",
      tokens: [{ name: "op", scopes: ["heal", "ack", "read", "pause"], token_file: keep("op", tokenOf("op")) }],
    },
    notify: [
      { home_assistant: { url: sink, webhook_id_file: keep("ha", tokenOf("home-assistant")) } },
      { webhook: { name: "chat", url: `${sink}/gone/${tokenOf("path")}`, secret_file: keep("chat", keyOf("chat")) } },
      { webhook: { name: "closed", url: `http://127.0.0.1:1/${tokenOf("path")}` } },
      { ntfy: { url: `${sink}/${tokenOf("path")}`, token_file: keep("ntfy", tokenOf("ntfy")) } },
      { heartbeat: { url: `${sink}/${tokenOf("path")}`, every: "1s" } },
    ],
  });
  const outputs: [string, string][] = [];
  const said = (what: string, text: string) => void outputs.push([what, text]);
  const running: [string, Running][] = [];
  const begin = async (name: string, args: readonly string[]) => {
    const made = await start(args, { HAIRPIN_RUN: join(house.directory, "run") });
    running.push([name, made]);
    return made;
  };
  try {
    await begin("host", ["host", "--config", house.file]);
    await begin("hub", ["hub", "--config", house.file]);
    const join1 = hairpin(["token", "vantage", "lan", "--config", house.file]).stdout.trim();
    secrets.push(join1, join1.slice("hairpin1.".length));
    keep("join", join1);
    await begin("vantage", [
      "vantage",
      "--join-file",
      join(house.directory, "keys", "join"),
      "--data",
      join(house.directory, "v"),
    ]);
    await exercise(house.port, said);
    for (const args of COMMANDS) {
      const flags = ["--config", house.file];
      const run = hairpin([...args, ...flags], { HAIRPIN_RUN: join(house.directory, "run") });
      said(`hairpin ${args.join(" ")}`, run.stdout + run.stderr);
    }
    const archive = join(house.directory, "backup.tar.gz");
    for (const args of [
      ["backup", archive],
      ["backup", "--restore", archive, "--to", join(house.directory, "restored")],
    ]) {
      const run = hairpin(args[1] === "--restore" ? args : [...args, "--config", house.file]);
      assert.equal(run.status, 0, run.stderr);
      said(`hairpin ${args[0]} ${args[1]}`, run.stdout + run.stderr);
    }
    const wrong = join(house.directory, "keys", "wrong");
    writeFileSync(wrong, tokenOf("wrong"), { mode: 0o600 });
    secrets.push(tokenOf("wrong"));
    const refused = hairpin(["heal", "--url", `http://127.0.0.1:${house.port}`, "--token-file", wrong]);
    assert.equal(refused.status, 1);
    said("a wrong token", refused.stdout + refused.stderr);
    for (const name of ["op", "lan", "host", "kube", "ha", "chat"]) {
      const file = join(house.directory, "keys", name);
      spawnSync("chmod", ["644", file]);
      const command = name === "host" || name === "kube" ? "host" : "hub";
      const run = hairpin([command, "--config", house.file]);
      said(`${command} with ${name} readable by others`, run.stdout + run.stderr);
      spawnSync("chmod", ["600", file]);
    }
  } finally {
    for (const [name, each] of running.reverse()) {
      assert.equal(await each.end(), 0, name);
      said(`${name}'s log`, each.output());
    }
    receiver.close();
  }
  said("bodies sent to receivers", bodies.join("\n"));
  house.remove();
  const found: string[] = [];
  for (const [what, text] of outputs) {
    assert.ok(text.length > 0, `${what} said nothing`);
    if (text.includes(MARK))
      found.push(`${what}: ${text.slice(Math.max(0, text.indexOf(MARK) - 120), text.indexOf(MARK) + 60)}`);
    for (const secret of secrets) if (text.includes(secret)) found.push(`${what}: a secret in another form`);
  }
  assert.deepEqual(found, []);
  const log = outputs.find(([what]) => what === "hub's log")![1];
  for (const word of ["refused", "delivery", "heal"])
    assert.ok(log.includes(word), `the hub was made to speak of ${word}`);
}

const COMMANDS = [
  ["config", "show"],
  ["config", "show", "--json"],
  ["config", "show", "--for", "host"],
  ["config", "check"],
  ["status"],
  ["status", "--json"],
  ["events"],
  ["events", "--json"],
  ["explain"],
  ["explain", "--json"],
  ["deliveries"],
  ["deliveries", "--json"],
  ["heal", "--dry-run"],
  ["test-notification"],
  ["pause", "--for", "1m"],
  ["resume"],
  ["reset-breaker"],
  ["reset-breaker", "--host"],
  ["kubeconfig"],
  ["kubeconfig", "--check"],
  ["kubeconfig", "--print-manifest"],
  ["link", "show"],
] as const;

/** Wrong credentials, bad reports until it fails, a heal, and every page that the hub has. */
async function exercise(port: number, said: (what: string, text: string) => void): Promise<void> {
  const url = `http://127.0.0.1:${port}`;
  const op = { authorization: `Bearer ${tokenOf("op")}`, "content-type": "application/json" };
  const post = async (path: string, body: string, headers: Record<string, string>) => {
    const answer = await fetch(url + path, { method: "POST", headers, body });
    said(`POST ${path}`, `${answer.status} ${JSON.stringify([...answer.headers])} ${await answer.text()}`);
  };
  await post("/heal", "{}", { ...op, authorization: `Bearer ${tokenOf("guessed")}` });
  await post("/heal", `{"reason":`, op);
  await post("/heal", `{"token":"x"}`, op);
  for (let seq = 1; seq <= 5; seq++)
    for (const vantage of ["vm", "lan"]) {
      const body = JSON.stringify({
        type: "hairpin.observation.v1",
        aud: "home",
        vantage,
        boot_id: `canary-${vantage}`,
        seq,
        observed_at: new Date().toISOString(),
        mono_ms: seq,
        control: { ok: true },
        ...round(false),
      });
      const stamp = Math.floor(Date.now() / 1_000);
      const wrong = { ...(await sign([keyOf("other")], `w_${seq}`, stamp, body, hmac)) };
      await post("/v1/observations", body, { "content-type": "application/json", ...wrong });
      const right = { ...(await sign([keyOf(vantage)], `r_${vantage}_${seq}`, stamp, body, hmac)) };
      await post("/v1/observations", body, { "content-type": "application/json", ...right });
    }
  await post("/heal", "{}", op);
  await post("/v1/test-notifications", "{}", op);
  await new Promise((next) => setTimeout(next, 3_000));
  for (const path of [
    "/",
    "/metrics",
    "/v1/status",
    "/v1/events",
    "/v1/explain",
    "/v1/deliveries",
    "/openapi.json",
    "/readyz",
    "/nope",
  ]) {
    const answer = await fetch(url + path);
    said(`GET ${path}`, `${JSON.stringify([...answer.headers])} ${await answer.text()}`);
  }
  said("the host's facts without a signature", await unsigned());
}

function unsigned(): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port: 8788, path: "/v1/facts" }, (reply) => {
      let text = String(reply.statusCode);
      reply.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      reply.on("end", () => resolve(text));
    });
    sent.on("error", reject);
    sent.end();
  });
}
