import { createSign, generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import { isIPv4 } from "node:net";

/**
 * A certificate authority made on the spot. X.509 by hand (RFC 5280), because the lab wants certificates that are expired or carry
 * the wrong name, which the openssl command of Debian 12 cannot make in one call, and because it is one tool less to install.
 */
export interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

export interface Authority extends KeyPair {
  readonly issue: (names: readonly string[], days?: { readonly from: number; readonly to: number }) => KeyPair;
}

const DAY = 86_400_000;
const OID = {
  commonName: [0x55, 0x04, 0x03],
  ecdsaWithSha256: [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02],
  basicConstraints: [0x55, 0x1d, 0x13],
  keyUsage: [0x55, 0x1d, 0x0f],
  subjectAltName: [0x55, 0x1d, 0x11],
  extendedKeyUsage: [0x55, 0x1d, 0x25],
  serverAuth: [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01],
} as const;

function der(tag: number, ...parts: readonly (Buffer | readonly number[])[]): Buffer {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part as number[])));
  const length =
    body.length < 128
      ? [body.length]
      : body.length < 256
        ? [0x81, body.length]
        : [0x82, body.length >> 8, body.length & 255];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
}

const sequence = (...parts: Buffer[]) => der(0x30, ...parts);
const oid = (bytes: readonly number[]) => der(0x06, bytes);
const algorithm = sequence(oid(OID.ecdsaWithSha256));
const name = (common: string) => sequence(der(0x31, sequence(oid(OID.commonName), der(0x0c, Buffer.from(common)))));

function time(millis: number): Buffer {
  const text = `${new Date(millis).toISOString().replace(/[-:T]/g, "").slice(0, 14)}Z`;
  return der(0x17, Buffer.from(text.slice(2))); // UTCTime: two digits of the year, good until 2049.
}

function extension(id: readonly number[], critical: boolean, value: Buffer): Buffer {
  return sequence(oid(id), ...(critical ? [der(0x01, [0xff])] : []), der(0x04, value));
}

function alternativeNames(names: readonly string[]): Buffer {
  return sequence(
    ...names.map((each) => (isIPv4(each) ? der(0x87, each.split(".").map(Number)) : der(0x82, Buffer.from(each)))),
  );
}

function pem(label: string, bytes: Buffer): string {
  return `-----BEGIN ${label}-----\n${bytes.toString("base64").replace(/.{64}(?=.)/g, "$&\n")}\n-----END ${label}-----\n`;
}

interface Body {
  readonly subject: string;
  readonly issuer: string;
  readonly key: KeyObject;
  readonly from: number;
  readonly to: number;
  readonly extensions: readonly Buffer[];
}

function certificate(body: Body, signer: KeyObject): string {
  const serial = randomBytes(12);
  serial[0] = 0x01; // Positive and without leading zeros.
  const tbs = sequence(
    der(0xa0, der(0x02, [2])),
    der(0x02, serial),
    algorithm,
    name(body.issuer),
    sequence(time(body.from), time(body.to)),
    name(body.subject),
    body.key.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(...body.extensions)),
  );
  const signature = createSign("sha256").update(tbs).sign(signer);
  return pem("CERTIFICATE", sequence(tbs, algorithm, der(0x03, [0], signature)));
}

const pair = () => generateKeyPairSync("ec", { namedCurve: "P-256" });
const exported = (key: KeyObject) => key.export({ type: "pkcs8", format: "pem" }).toString();

/** A new authority, good for a month. Days of issued certificates count from now; the default is -1 to 90. */
export function makeAuthority(common: string, now: number): Authority {
  const root = pair();
  const extensions = [
    extension(OID.basicConstraints, true, sequence(der(0x01, [0xff]))),
    extension(OID.keyUsage, true, der(0x03, [0x01, 0x06])), // keyCertSign and cRLSign.
  ];
  const self = {
    subject: common,
    issuer: common,
    key: root.publicKey,
    from: now - 400 * DAY,
    to: now + 400 * DAY,
    extensions,
  };
  return {
    certificate: certificate(self, root.privateKey),
    key: exported(root.privateKey),
    issue(names, days = { from: -1, to: 90 }) {
      const leaf = pair();
      const own = [
        extension(OID.subjectAltName, false, alternativeNames(names)),
        extension(OID.extendedKeyUsage, false, sequence(oid(OID.serverAuth))),
      ];
      const body = {
        subject: (names[0] ?? "lab").slice(0, 64),
        issuer: common,
        key: leaf.publicKey,
        from: now + days.from * DAY,
        to: now + days.to * DAY,
        extensions: own,
      };
      return { certificate: certificate(body, root.privateKey), key: exported(leaf.privateKey) };
    },
  };
}
