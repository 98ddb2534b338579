import assert from "node:assert/strict";
import { test } from "node:test";
import { startBrokers } from "../../src/lab/broker.ts";
import { planHouse } from "../../src/lab/house-plan.ts";
import type { LabSecrets } from "../../src/lab/lab-config.ts";
import type { Said } from "../../src/lab/standins/channel.ts";
import { houseOf } from "../support/hub.ts";

test("a lab without mosquitto stands without a broker, and says which one is missing and why", async () => {
  const plan = planHouse(houseOf({ notify: [{ mqtt: { url: "mqtt://192.0.2.10" } }] }));
  const said: Said[] = [];
  const path = process.env["PATH"];
  process.env["PATH"] = "/nonexistent";
  try {
    const started = await startBrokers(plan, {} as LabSecrets, (_who, one) => void said.push(one));
    assert.deepEqual(started, []);
  } finally {
    process.env["PATH"] = path;
  }
  assert.equal(said[0]?.what, "absent");
  assert.match(String(said[0]?.["detail"]), /192\.0\.2\.10:1883.*mosquitto, which is not installed/);
});
