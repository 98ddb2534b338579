import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, statfsSync, unlinkSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { report, start, writeHouse } from "./house-on-loopback.ts";

/** A small tmpfs can be mounted, filled and emptied in a user namespace: this file starts itself once more in one. */
const NAMESPACE = ["-Urnmpf", "--mount-proc", "--kill-child"];
const DISK = "size=6m";

if (process.env["HAIRPIN_INSIDE"] === undefined) {
  const probe = spawnSync("unshare", [...NAMESPACE, "sh", "-c", "ip link set lo up && mount -t tmpfs none /mnt"], {
    encoding: "utf8",
  });
  const refused = probe.status === 0 ? false : `no user namespace here: ${probe.error?.message ?? probe.stderr.trim()}`;
  test("fault 33: a full disk is a 503 at the hub and a refusal at the host, and both recover", {
    skip: refused,
  }, () => {
    const run = spawnSync(
      "unshare",
      [...NAMESPACE, process.execPath, "--test-reporter=spec", fileURLToPath(import.meta.url)],
      {
        encoding: "utf8",
        timeout: 120_000,
        killSignal: "SIGKILL",
        env: { PATH: process.env["PATH"], HAIRPIN_INSIDE: "1" },
      },
    );
    assert.equal(run.status, 0, `${run.stdout}\n${run.stderr}`);
  });
} else inside();

function mount(path: string): void {
  const made = spawnSync("mount", ["-t", "tmpfs", "-o", DISK, "none", path], { encoding: "utf8" });
  assert.equal(made.status, 0, made.stderr);
}

/** Takes what is free, but for so many bytes. */
function fill(path: string, leave: number): void {
  const stat = statfsSync(path);
  writeFileSync(join(path, "ballast"), Buffer.alloc(Math.max(0, stat.bavail * stat.bsize - leave)));
}
const empty = (path: string) => unlinkSync(join(path, "ballast"));

function inside(): void {
  spawnSync("ip", ["link", "set", "lo", "up"]);
  mount("/mnt");

  test("the hub answers 503 while its disk is full, acknowledges nothing, and takes the same report afterwards", async () => {
    const house = await writeHouse();
    spawnSync("mkdir", ["/mnt/hub"]);
    house.write({
      hub: { listen: `127.0.0.1:${house.port}`, url: `http://127.0.0.1:${house.port}`, data: "/mnt/hub" },
    });
    const hub = await start(["hub", "--config", house.file]);
    try {
      let seq = 1;
      assert.equal((await report(house.port, "lan", seq)).status, 202);
      fill("/mnt", 0);
      const large = { checks: Array.from({ length: 60 }, (_, index) => check(index)) };
      let status = 202;
      for (; status === 202 && seq < 400; ) status = (await report(house.port, "lan", ++seq, large)).status;
      assert.equal(status, 503);
      assert.equal((await fetch(`http://127.0.0.1:${house.port}/readyz`)).status, 503);
      assert.equal((await fetch(`http://127.0.0.1:${house.port}/healthz`)).status, 200);
      empty("/mnt");
      assert.equal((await report(house.port, "lan", seq, large)).status, 202, "it was not taken before");
      assert.equal((await fetch(`http://127.0.0.1:${house.port}/readyz`)).status, 200);
    } finally {
      assert.equal(await hub.end(), 0);
      house.remove();
    }
  });

  test("the host refuses before it acts while its disk is full, and acts when there is room again", async () => {
    const house = await writeHouse();
    spawnSync("mkdir", ["/mnt/host"]);
    for (const args of [
      ["link", "add", "house0", "type", "bridge"],
      ["link", "set", "house0", "up"],
    ])
      assert.equal(spawnSync("ip", args).status, 0);
    const socket = join(house.directory, "host.sock");
    house.write({
      link: { name: "lb0", parent: "house0", mac: "02:5a:5f:84:40:e8" },
      host: { listen: `unix:${socket}`, armed: true, journal: "/mnt/host" },
    });
    const host = await start(["host", "--config", house.file], { HAIRPIN_RUN: house.directory });
    try {
      while (ifindex() === null) await new Promise((next) => setTimeout(next, 20));
      const before = ifindex();
      fill("/mnt", 400_000);
      const refused = await repair(socket, "first");
      assert.deepEqual([refused.status, refused.body.refusal], [409, "journal"]);
      assert.equal(ifindex(), before, "nothing was deleted");
      empty("/mnt");
      assert.equal((await repair(socket, "second")).status, 202);
      assert.equal(existsSync("/mnt/host/modules"), false, "a cache took room where the journal lies");
    } finally {
      assert.equal(await host.end(), 0);
      house.remove();
    }
    assert.notEqual(ifindex(), null);
  });
}

const check = (index: number) => ({
  target: "dns",
  check: "dns",
  id: `dns:${index}`,
  ok: false,
  failure: "no_reply",
  detail: "x".repeat(500),
});

function ifindex(): number | null {
  const shown = spawnSync("ip", ["-j", "link", "show", "dev", "lb0"], { encoding: "utf8" });
  return shown.status === 0 ? (JSON.parse(shown.stdout) as { ifindex: number }[])[0]!.ifindex : null;
}

function repair(socketPath: string, id: string): Promise<{ status: number; body: { refusal?: string } }> {
  const body = JSON.stringify({ id, step: "recreate-link", epoch: 1, ttl_ms: 10_000 });
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", "content-length": body.length };
    const sent = request({ socketPath, method: "POST", path: "/v1/repairs", headers }, (reply) => {
      let text = "";
      reply.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      reply.on("end", () => resolve({ status: reply.statusCode ?? 0, body: JSON.parse(text) as { refusal?: string } }));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}
