import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { resolveHouse } from "../../src/core/config/house.ts";
import { configSchema } from "../../src/core/config/schema.ts";
import type { JoinToken } from "../../src/core/plan.ts";
import { openKeys } from "../../src/runtime/node/hub-keys.ts";
import { hairpin, writeHouse } from "../faults/house-on-loopback.ts";
import { secret, TOKEN } from "../support/hub.ts";

const keyOf = (stdout: string): string =>
  (JSON.parse(Buffer.from(stdout.trim().slice("hairpin1.".length), "base64url").toString("utf8")) as JoinToken).key;

test("a vantage's key is changed without a gap: rotate, change over, retire", async () => {
  const house = await writeHouse();
  const config = configSchema.parse(JSON.parse(readFileSync(house.file, "utf8")));
  /** As a hub of now would read them. */
  const accepted = () => openKeys(resolveHouse(config, () => null).house, house.directory, () => {}).vantageKeys("vm");
  try {
    assert.deepEqual(accepted(), [secret("vm")]);
    const rotated = hairpin(["token", "rotate", "vm", "--config", house.file]);
    assert.equal(rotated.status, 0, rotated.stderr);
    const fresh = keyOf(rotated.stdout);
    assert.deepEqual(accepted(), [fresh, secret("vm")], "the new one is given out, the old one still opens");
    assert.equal(keyOf(hairpin(["token", "vantage", "vm", "--config", house.file]).stdout), fresh);
    assert.equal(hairpin(["token", "retire", "vm", "--config", house.file]).status, 0);
    assert.deepEqual(accepted(), [fresh]);
    assert.equal(hairpin(["token", "revoke", "vm", "--config", house.file]).status, 0);
    assert.equal(accepted().length, 1);
    assert.notEqual(accepted()[0], fresh);
    const wrong = hairpin(["token", "renew", "vm", "--config", house.file]);
    assert.equal(wrong.status, 2);
    assert.match(wrong.stderr, /token rotate NAME/);
  } finally {
    house.remove();
  }
});

test("an API token has a second line while it is changed, and no key serves two purposes", async () => {
  const house = await writeHouse();
  const config = configSchema.parse(JSON.parse(readFileSync(house.file, "utf8")));
  const open = () => openKeys(resolveHouse(config, () => null).house, house.directory, () => {});
  try {
    house.key("op", `the-next-token-of-the-operator\n${TOKEN}\n`);
    assert.deepEqual(
      open()
        .tokens()
        .map((token) => token.secret),
      ["the-next-token-of-the-operator", TOKEN],
    );
    house.key("lan", `${secret("lan")}\n${secret("vm")}\n`);
    assert.throws(open, /same secret/, "an old key of one vantage is the key of another");
  } finally {
    house.remove();
  }
});
