/** Just enough of RFC 1035 for a stand-in: one question in, a few records out. Written apart from the decoder that it is asked by. */

export interface Question {
  readonly id: number;
  readonly name: string;
  readonly type: number;
  readonly typeName: string;
  /** The question section as it came, to be repeated in the answer. */
  readonly raw: Buffer;
}

const TYPES: Readonly<Record<string, number>> = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
};
export const RCODE = { ok: 0, servfail: 2, nxdomain: 3, refused: 5 } as const;
/** Longer UDP answers are cut by real servers too; the lab's never are. */
const TTL_SECONDS = 30;

export function parseQuestion(message: Buffer): Question | null {
  if (message.length < 17 || (message[2]! & 0x80) !== 0 || message.readUInt16BE(4) !== 1) return null;
  const labels: string[] = [];
  let at = 12;
  for (;;) {
    const length = message[at];
    if (length === undefined || length > 63) return null;
    at += 1;
    if (length === 0) break;
    labels.push(message.toString("latin1", at, at + length));
    at += length;
  }
  if (at + 4 > message.length) return null;
  const type = message.readUInt16BE(at);
  const typeName = Object.entries(TYPES).find(([, code]) => code === type)?.[0] ?? String(type);
  return {
    id: message.readUInt16BE(0),
    name: labels.join(".").toLowerCase(),
    type,
    typeName,
    raw: message.subarray(12, at + 4),
  };
}

function nameBytes(name: string): Buffer {
  const labels = name
    .replace(/\.$/, "")
    .split(".")
    .filter((label) => label !== "");
  return Buffer.concat([
    ...labels.flatMap((label) => [Buffer.from([label.length]), Buffer.from(label, "latin1")]),
    Buffer.from([0]),
  ]);
}

function ipv6Bytes(address: string): Buffer {
  const [head = "", tail] = address.split("::");
  const groups = (text: string | undefined) => (text ? text.split(":") : []);
  const [left, right] = [groups(head), groups(tail)];
  const all =
    tail === undefined ? left : [...left, ...Array<string>(8 - left.length - right.length).fill("0"), ...right];
  const bytes = Buffer.alloc(16);
  for (const [index, group] of all.entries()) bytes.writeUInt16BE(Number.parseInt(group, 16), index * 2);
  return bytes;
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

function dataOf(type: string, value: string): Buffer | null {
  const parts = value.split(/\s+/);
  switch (type) {
    case "A":
      return Buffer.from(value.split(".").map(Number));
    case "AAAA":
      return ipv6Bytes(value);
    case "CNAME":
    case "NS":
    case "PTR":
      return nameBytes(value);
    case "MX":
      return Buffer.concat([word(Number(parts[0])), nameBytes(parts[1] ?? "")]);
    case "SRV":
      return Buffer.concat([...parts.slice(0, 3).map((part) => word(Number(part))), nameBytes(parts[3] ?? "")]);
    case "TXT":
      return Buffer.concat([Buffer.from([Buffer.byteLength(value)]), Buffer.from(value)]);
    default:
      return null;
  }
}

/** The answer to a question, with records in the text form in which a configuration declares them. */
export function answer(question: Question, rcode: number, records: readonly string[]): Buffer {
  const data = records.map((record) => dataOf(question.typeName, record)).filter((bytes) => bytes !== null);
  const header = Buffer.alloc(12);
  header.writeUInt16BE(question.id, 0);
  header.writeUInt16BE(0x8580 | rcode, 2); // Response, authoritative, recursion desired and available.
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(data.length, 6);
  const answers = data.flatMap((bytes) => {
    const fixed = Buffer.alloc(12);
    fixed.writeUInt16BE(0xc00c, 0); // The name of the question.
    fixed.writeUInt16BE(question.type, 2);
    fixed.writeUInt16BE(1, 4);
    fixed.writeUInt32BE(TTL_SECONDS, 6);
    fixed.writeUInt16BE(bytes.length, 10);
    return [fixed, bytes];
  });
  return Buffer.concat([header, question.raw, ...answers]);
}
