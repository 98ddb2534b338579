import assert from "node:assert/strict";
import { test } from "node:test";
import { inNamespaces, skipReason } from "./namespaces.ts";

interface Found {
  readonly mac: string;
  readonly bridgeMac: string;
  readonly socketAtStart: boolean;
  readonly pickedUpMs: number;
  readonly heldAfterPickUp: string;
  readonly answeredAfterPickUp: readonly string[];
  readonly burstMs: number;
  readonly answeredAfterChange: readonly string[];
  readonly answeredAfterBoot: readonly string[];
  readonly failed: boolean;
  readonly curedByUpdate: readonly string[];
  readonly answeredNotReady: readonly string[];
  readonly answeredEverywhere: readonly string[];
  readonly answeredWithoutApi: readonly string[];
  readonly answeredStartedWithoutApi: readonly string[];
}

test("the speaker stand-in has the habits of the measured one", { skip: skipReason() }, async (t) => {
  const found = inNamespaces<Found>("speaker");
  const other = "02:00:00:00:00:99";
  await t.test("its packet socket shows as protocol 0806 on the link's ifindex", () =>
    assert.equal(found.socketAtStart, true),
  );
  await t.test("a link made anew gets its responder within one scan, without gratuitous ARP", () => {
    assert.ok(found.pickedUpMs <= 10_500, `${found.pickedUpMs} ms`);
    assert.equal(found.heldAfterPickUp, found.mac);
    assert.deepEqual(found.answeredAfterPickUp, [other]);
  });
  await t.test("an update of the Service sends gratuitous ARP at once", () =>
    assert.ok(found.burstMs < 1_000, `${found.burstMs} ms`),
  );
  await t.test("a MAC changed in place is never noticed", () => assert.deepEqual(found.answeredAfterChange, [other]));
  await t.test(
    "started before the link it answers nothing and says announceFailed, until the Service is updated",
    () => {
      assert.deepEqual(found.answeredAfterBoot, []);
      assert.equal(found.failed, true);
      assert.deepEqual(found.curedByUpdate, [found.mac]);
    },
  );
  await t.test("without a ready endpoint it withdraws", () => assert.deepEqual(found.answeredNotReady, []));
  await t.test("an advertisement without interfaces makes the bridge answer as well", () => {
    assert.deepEqual(found.answeredEverywhere, [found.bridgeMac, found.mac].sort());
  });
  await t.test("with the API down it goes on answering, and one that is started then does not", () => {
    assert.deepEqual(found.answeredWithoutApi, [found.mac]);
    assert.deepEqual(found.answeredStartedWithoutApi, []);
  });
});
