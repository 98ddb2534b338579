import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { secret, TOKEN } from "../support/hub.ts";
import { hairpin, type Written, writeHouse } from "./house-on-loopback.ts";

const house = await writeHouse();
after(house.remove);

const SHOWN = "an-unsafe-but-long-enough-secret";
const FAULTS: readonly (readonly [string, (at: Written, name: string) => void, RegExp])[] = [
  ["missing", (at, name) => rmSync(join(at.directory, "keys", name)), /missing|cannot be read|ENOENT|does not exist/],
  ["short", (at, name) => at.key(name, "hunter2"), /short/],
  ["a default", (at, name) => at.key(name, "changeme-changeme-changeme"), /default|whsec|short/],
  ["readable by others", (at, name) => at.key(name, name === "op" ? SHOWN : secret(name), 0o644), /0644.*chmod 600/],
];

for (const name of ["op", "lan"])
  for (const [what, damage, words] of FAULTS)
    test(`fault 40: the hub refuses to start when ${name === "op" ? "a token" : "a key"} is ${what}`, () => {
      damage(house, name);
      const run = hairpin(["hub", "--config", house.file]);
      house.key(name, name === "op" ? TOKEN : secret(name));
      assert.equal(run.status, 2, run.stdout + run.stderr);
      assert.match(run.stderr, words);
      assert.match(run.stderr, new RegExp(`keys/${name}`), "it says which file");
      assert.ok(!run.stderr.includes(SHOWN) && !run.stderr.includes("hunter2") && !run.stderr.includes("changeme-ch"));
    });

test("fault 40: the host refuses a key of its own, and a kubeconfig, that others can read", () => {
  house.key("host", secret("host"), 0o644);
  house.key("kube", "apiVersion: v1", 0o644);
  const link = { name: "lb0", parent: "house0", mac: "02:5a:5f:84:40:e8" };
  house.write({ link, host: { listen: `127.0.0.1:${house.port}`, key_file: "keys/host", journal: "journal" } });
  const keyed = hairpin(["host", "--config", house.file]);
  assert.deepEqual([keyed.status, /keys\/host.*0644/.test(keyed.stderr)], [2, true], keyed.stderr);
  house.write({
    link,
    speaker: { node: "n5", kubeconfig_file: "keys/kube" },
    host: { listen: `unix:${house.directory}/host.sock`, journal: "journal" },
  });
  const kube = hairpin(["host", "--config", house.file]);
  assert.deepEqual([kube.status, /keys\/kube.*0644/.test(kube.stderr)], [2, true], kube.stderr);
});
