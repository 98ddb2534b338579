import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { makeAuthority } from "../../src/lab/certificates.ts";
import { lookAtBrokers } from "../../src/runtime/node/doctor-mqtt.ts";
import { createResolver } from "../../src/runtime/node/hub-resolver.ts";
import { brokersOf } from "../../src/runtime/node/mqtt-client.ts";
import { houseOf } from "../support/hub.ts";
import { NO_MOSQUITTO, type RealBroker, realBroker } from "../support/mosquitto.ts";
import { type Listening, tcpServer } from "../support/probe-servers.ts";

/** `mqtts://` at a real Mosquitto, with a certificate that an authority of the test has signed. */
const NAME = "broker.attic.lan";
const authority = makeAuthority("the attic's own authority", Date.now());
const stranger = makeAuthority("somebody else's authority", Date.now());
const dir = mkdtempSync(join(tmpdir(), "hairpin-mqtt-tls-"));
writeFileSync(join(dir, "ca.pem"), authority.certificate);
writeFileSync(join(dir, "other-ca.pem"), stranger.certificate);
writeFileSync(join(dir, "no-ca.pem"), "-----BEGIN CERTIFICATE-----\nnothing\n-----END CERTIFICATE-----\n");

const resolver = createResolver([], { get: () => null, set: () => {} });
const options = { skip: NO_MOSQUITTO, timeout: 60_000 };
const LOGIN = { hairpin: "s3cr3t" };
const brokers: RealBroker[] = [];
const servers: Listening[] = [];
let named: RealBroker;
let addressed: RealBroker;
let expired: RealBroker;
let plain: RealBroker;

before(async () => {
  if (NO_MOSQUITTO !== false) return;
  named = await realBroker(LOGIN, authority.issue([NAME]));
  addressed = await realBroker(LOGIN, authority.issue(["127.0.0.1"]));
  expired = await realBroker(LOGIN, authority.issue(["127.0.0.1"], { from: -30, to: -1 }));
  plain = await realBroker();
  brokers.push(named, addressed, expired, plain);
});
after(async () => {
  for (const server of servers) server.close();
  for (const broker of brokers) await broker.stop();
  rmSync(dir, { recursive: true, force: true });
});

const houseAt = (port: number, mqtt: object = {}) =>
  houseOf({ notify: [{ mqtt: { url: `mqtts://hairpin:s3cr3t@127.0.0.1:${port}`, ...mqtt } }] });

/** Connects as the hub does; null when it is connected, else the words of the refusal. */
async function connected(port: number, mqtt: object, patience = 20_000): Promise<string | null> {
  const [broker] = brokersOf(houseAt(port, mqtt), dir, resolver);
  const will = { topic: "hairpin/home/availability", payload: "offline", retain: true, expiry: null };
  try {
    const ears = { message() {}, closed() {} };
    const connection = await broker!.connect(will, ears, AbortSignal.timeout(patience));
    const refused = await connection.publish({ topic: "hairpin/home/x", payload: "1", retain: false, expiry: null });
    await connection.close();
    return refused;
  } catch (error) {
    return (error as Error).message;
  }
}

test(
  "with the authority in ca_file, and the address or server_name in the certificate, it connects",
  options,
  async () => {
    assert.equal(await connected(addressed.port, { ca_file: "ca.pem" }), null);
    assert.equal(await connected(named.port, { ca_file: "ca.pem", server_name: NAME }), null);
    assert.equal(await connected(named.port, { ca_file: "ca.pem", server_name: NAME, protocol: "3.1.1" }), null);
    const [sight] = await lookAtBrokers(houseAt(addressed.port, { ca_file: "ca.pem" }), dir);
    assert.deepEqual([sight?.isConnected, sight?.detail], [true, null]);
    assert.equal(sight?.origin, `mqtts://127.0.0.1:${addressed.port}`);
  },
);

test(
  "an authority that is not known, the wrong one and none are refused, each with what to write",
  options,
  async () => {
    assert.match((await connected(addressed.port, {}))!, /does not know: say ca_file: .*PEM/);
    assert.match(
      (await connected(addressed.port, { ca_file: "other-ca.pem" }))!,
      /not signed by the authority in ca_file/,
    );
    const [broken] = await lookAtBrokers(houseAt(addressed.port, { ca_file: "no-ca.pem" }), dir);
    assert.match(broken!.detail!, /no-ca\.pem holds no certificate in PEM form/);
    const [sight] = await lookAtBrokers(houseAt(addressed.port), dir);
    assert.deepEqual([sight?.isConnected, sight?.isRefused], [false, false]);
    assert.match(sight!.detail!, /say ca_file/);
  },
);

test("a certificate for another name is refused, with the name that it is for", options, async () => {
  const other = await connected(named.port, { ca_file: "ca.pem" });
  assert.match(other!, /is for broker\.attic\.lan, not for 127\.0\.0\.1: say server_name: broker\.attic\.lan/);
  const wrong = await connected(named.port, { ca_file: "ca.pem", server_name: "else.attic.lan" });
  assert.match(wrong!, /is for broker\.attic\.lan, not for else\.attic\.lan/);
});

test("an expired certificate is refused and called so", options, async () => {
  assert.match((await connected(expired.port, { ca_file: "ca.pem" }))!, /expired/);
});

test("a port without TLS is called so, also when it says nothing at all", options, async () => {
  assert.match((await connected(plain.port, { ca_file: "ca.pem" }))!, /no TLS at port \d+: .*mqtt:\/\/.*8883/);
  const mute = await tcpServer(() => {});
  servers.push(mute);
  assert.match((await connected(mute.port, { ca_file: "ca.pem" }, 500))!, /no TLS handshake in time at port/);
});

test("a refused login over TLS is a refused login, and no secret is in it", options, async () => {
  const url = `mqtts://hairpin:wr0ng@127.0.0.1:${addressed.port}`;
  const said = await connected(addressed.port, { url, ca_file: "ca.pem" });
  assert.match(said!, /refuses the login/);
  assert.doesNotMatch(said!, /wr0ng|s3cr3t/);
});
