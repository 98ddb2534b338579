import { type Answer, decode, encode, RECURSION_DESIRED } from "dns-packet";
import { bindingText, hex } from "./dns-binding.ts";

/** dns-packet wants a Buffer; both runtimes have one as a global, and neutral code must not see the rest of Node. */
declare const Buffer: { from(buffer: ArrayBufferLike, offset: number, length: number): Uint8Array };

/** What an answer may weigh. More is no answer to a probe's question, and would cost time to take apart. */
export const MESSAGE_MAX = 16_384;
const RECORDS_MAX = 256;
/** A name has at most 127 labels (RFC 1035, 2.3.4); honest compression needs few of them to be pointers. */
const HOPS_MAX = 32;
/** What fits an Ethernet frame on any path (DNS flag day 2020). */
const UDP_PAYLOAD = 1_232;

export interface DnsReply {
  readonly rcode: string;
  readonly truncated: boolean;
  /** The resolver vouches for the answer (RFC 4035, 3.2.3). */
  readonly authenticated: boolean;
  /** Whether a signature over the asked type came along (RFC 4035, 3.1.1). */
  readonly signed: boolean;
  /** Whether the name came back in the very letters that were sent. */
  readonly isCaseKept: boolean;
  /** The records of the asked type, as text, sorted. */
  readonly records: readonly string[];
}

export function isDnsName(name: string): boolean {
  return name === "." || (name.length <= 253 && /^([A-Za-z0-9_*-]{1,63}\.)*[A-Za-z0-9_*-]{1,63}\.?$/.test(name));
}

/** SVCB and HTTPS have no name in dns-packet. */
const wireType = (type: string): string => ({ SVCB: "UNKNOWN_64", HTTPS: "UNKNOWN_65" })[type] ?? type;

/** The DO bit: signatures are wanted (RFC 3225). */
const DNSSEC_OK = 0x8000;

/** A query with EDNS, recursion desired. A copy: what dns-packet returns shares its memory. */
export function encodeQuery(id: number, name: string, type: string, dnssec = false): Uint8Array {
  return new Uint8Array(
    encode({
      type: "query",
      id,
      flags: RECURSION_DESIRED,
      questions: [{ name, type: wireType(type), class: "IN" }],
      additionals: [
        { type: "OPT", name: ".", udpPayloadSize: UDP_PAYLOAD, flags: dnssec ? DNSSEC_OK : 0, options: [] },
      ],
    }),
  );
}

/**
 * The name with each letter in a case of chance (draft-vixie-dnsext-dns0x20): whoever answers without having seen the question does
 * not know it. `bits` gives 16 of them at a time.
 */
export function mixCase(name: string, bits: () => number): string {
  let held = 0;
  let left = 0;
  return name.replace(/[a-zA-Z]/g, (letter) => {
    if (left === 0) [held, left] = [bits(), 16];
    const isUpper = (held & 1) === 1;
    [held, left] = [held >> 1, left - 1];
    return isUpper ? letter.toUpperCase() : letter.toLowerCase();
  });
}

/**
 * Whether a message answers this query: its id, a response, and the same question in any case. A message with our id whose
 * question cannot be read is let through, because it is a finding; an error may come without the question (RFC 1035, 4.1.1).
 */
export function isAnswerTo(message: Uint8Array, id: number, name: string, type: string): boolean {
  if (message.length < 12 || u16(message, 0) !== id || (message[2]! & 0x80) === 0) return false;
  if (u16(message, 4) === 0) return true;
  const question = readName(message, 12);
  if (question === null || question.end + 4 > message.length) return true;
  const asked = encodeQuery(id, name, type);
  const wanted = readName(asked, 12)!;
  return (
    question.text.toLowerCase() === wanted.text.toLowerCase() &&
    u16(message, question.end) === u16(asked, wanted.end) &&
    u16(message, question.end + 2) === u16(asked, wanted.end + 2)
  );
}

/** Takes a response apart; a string says what is malformed. Every name is walked with a limit first (fault 10). */
export function parseReply(message: Uint8Array, type: string, asked?: string): DnsReply | string {
  const problem = malformation(message);
  if (problem !== null) return problem;
  try {
    const packet = decode(Buffer.from(message.buffer, message.byteOffset, message.byteLength));
    const wanted = wireType(type);
    const owners = ownersOf(packet.answers, asked);
    const own = packet.answers.filter(({ name }) => owners === null || owners.has(owner(name)));
    const records = own.filter((answer) => answer.type === wanted).map(recordText);
    return {
      rcode: packet.rcode,
      truncated: packet.flag_tc,
      authenticated: packet.flag_ad,
      signed: own.some((answer) => answer.type === "RRSIG" && coveredBy(answer.data) === wanted),
      isCaseKept: asked === undefined || packet.questions.every(({ name }) => undotted(name) === undotted(asked)),
      records: records.sort(),
    };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const undotted = (name: string): string => name.replace(/\.$/, "");
const owner = (name: string): string => undotted(name).toLowerCase();

/**
 * The names whose records answer the question: the asked one, and where its CNAMEs lead (RFC 1034, 3.6.2), in whatever order they
 * stand. Records of any other name are nobody's question. Null: all, where the question is not known.
 */
function ownersOf(answers: readonly Answer[], asked: string | undefined): ReadonlySet<string> | null {
  if (asked === undefined) return null;
  const aliases = new Map<string, string>();
  for (const { type, name, data } of answers)
    if (type === "CNAME" && typeof data === "string" && !aliases.has(owner(name)))
      aliases.set(owner(name), owner(data));
  const owners = new Set<string>();
  for (let at: string | undefined = owner(asked); at !== undefined && !owners.has(at); at = aliases.get(at))
    owners.add(at);
  return owners;
}

/** Brings an expected record into the form that `parseReply` gives: lower case, no trailing dot, IPv6 at its shortest. */
export function canonicalRecord(type: string, text: string): string {
  if (type === "AAAA") {
    try {
      return new URL(`http://[${text}]/`).hostname.slice(1, -1);
    } catch {
      return text.toLowerCase();
    }
  }
  if (type === "TXT") return text;
  // A binding to this very name has a dot for its target, and values may differ by case.
  if (type === "SVCB" || type === "HTTPS") return text.replaceAll('"', "").trim().replaceAll(/\s+/g, " ");
  return text.toLowerCase().replace(/\.$/, "");
}

function recordText(answer: Answer): string {
  const data = answer.data;
  if (typeof data === "string") return canonicalRecord(answer.type, data);
  if (Array.isArray(data)) return data.map(textOf).join("");
  if (data instanceof Uint8Array) return answer.type in SERVICE_BINDINGS ? bindingText(data) : hex(data);
  const fields = data as Readonly<Record<string, unknown>>;
  if (answer.type === "MX") return canonicalRecord("MX", `${fields["preference"]} ${fields["exchange"]}`);
  if (answer.type === "SRV") {
    return canonicalRecord("SRV", `${fields["priority"]} ${fields["weight"]} ${fields["port"]} ${fields["target"]}`);
  }
  if (answer.type === "CAA") return canonicalRecord("CAA", `${fields["flags"]} ${fields["tag"]} "${fields["value"]}"`);
  if (answer.type === "SOA") return canonicalRecord("SOA", SOA_FIELDS.map((field) => fields[field]).join(" "));
  return JSON.stringify(data);
}

/** RFC 1035, 3.3.13, in the order in which tools print them. */
const SOA_FIELDS = ["mname", "rname", "serial", "refresh", "retry", "expire", "minimum"];
const SERVICE_BINDINGS: Readonly<Record<string, true>> = { UNKNOWN_64: true, UNKNOWN_65: true };

function coveredBy(data: unknown): string | null {
  const covered = (data as { readonly typeCovered?: unknown } | null)?.typeCovered;
  return typeof covered === "string" ? covered : null;
}

function textOf(part: unknown): string {
  return part instanceof Uint8Array ? new TextDecoder().decode(part) : String(part);
}

const u16 = (message: Uint8Array, at: number): number => (message[at]! << 8) | message[at + 1]!;

/** Reads a name: pointers lead backwards only, at most HOPS_MAX of them, at most 255 bytes. Null when it breaks a rule. */
function readName(message: Uint8Array, start: number): { readonly text: string; readonly end: number } | null {
  const labels: string[] = [];
  let at = start;
  let floor = start;
  let end = -1;
  let length = 0;
  let hops = 0;
  for (;;) {
    const size = message[at];
    if (size === undefined) return null;
    if (size === 0) break;
    if ((size & 0xc0) === 0xc0) {
      if (at + 1 >= message.length) return null;
      const to = u16(message, at) & 0x3fff;
      if (to >= floor || ++hops > HOPS_MAX) return null;
      if (end < 0) end = at + 2;
      floor = to;
      at = to;
      continue;
    }
    length += size + 1;
    if ((size & 0xc0) !== 0 || length > 254 || at + 1 + size > message.length) return null;
    labels.push(String.fromCharCode(...message.subarray(at + 1, at + 1 + size)));
    at += 1 + size;
  }
  return { text: labels.join("."), end: end < 0 ? at + 1 : end };
}

/** Where the names lie in the data of the types that carry some: bytes before the first, and how many follow each other. */
const NAMES_IN_DATA: Readonly<Record<number, readonly [before: number, count: number]>> = {
  2: [0, 1],
  5: [0, 1],
  6: [0, 2],
  12: [0, 1],
  15: [2, 1],
  33: [6, 1],
  39: [0, 1],
};

/** Walks the whole message once and says what is wrong with it; null: nothing. Work is bounded by the two limits above. */
function malformation(message: Uint8Array): string | null {
  if (message.length < 12) return `${message.length} bytes are no DNS message`;
  if (message.length > MESSAGE_MAX) return `larger than ${MESSAGE_MAX} bytes`;
  const questions = u16(message, 4);
  const records = u16(message, 6) + u16(message, 8) + u16(message, 10);
  if (questions > 1 || records > RECORDS_MAX) return `${questions} questions and ${records} records`;
  let at = 12;
  for (let index = 0; index < questions; index++) {
    const name = readName(message, at);
    if (name === null || name.end + 4 > message.length) return "the question cannot be read";
    at = name.end + 4;
  }
  for (let index = 0; index < records; index++) {
    const name = readName(message, at);
    if (name === null) return `the name of record ${index + 1} cannot be read: a bad pointer or length`;
    if (name.end + 10 > message.length) return `record ${index + 1} is cut off`;
    const type = u16(message, name.end);
    const size = u16(message, name.end + 8);
    const data = name.end + 10;
    at = data + size;
    if (at > message.length) return `the data of record ${index + 1} is cut off`;
    if ((type === 1 && size !== 4) || (type === 28 && size !== 16)) return `an address of ${size} bytes`;
    const [before, count] = NAMES_IN_DATA[type] ?? [0, 0];
    let inner = data + before;
    for (let part = 0; part < count; part++) {
      const held = readName(message, inner);
      if (held === null || held.end > at) return `the data of record ${index + 1} holds a bad name`;
      inner = held.end;
    }
  }
  return null;
}
