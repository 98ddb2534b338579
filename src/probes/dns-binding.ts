/** Of the parameters of one record: the registry has fewer than these. */
const PARAMETERS_MAX = 32;
const LABELS_MAX = 127;

/** The registry of RFC 9460, section 14.3.2. */
const KEYS: readonly string[] = ["mandatory", "alpn", "no-default-alpn", "port", "ipv4hint", "ech", "ipv6hint"];

export const hex = (data: Uint8Array): string => [...data].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const u16 = (data: Uint8Array, at: number): number => (data[at]! << 8) | data[at + 1]!;
const keyName = (key: number): string => KEYS[key] ?? `key${key}`;

/**
 * The data of an SVCB or HTTPS record as tools print it, such as `1 . alpn=h2,h3 port=443` (RFC 9460, 2.1). What breaks its rules
 * comes as hexadecimal digits: it then equals nothing that anybody declares. The target name is never compressed (2.2).
 */
export function bindingText(data: Uint8Array): string {
  return parts(data)?.join(" ") ?? hex(data);
}

function parts(data: Uint8Array): string[] | null {
  if (data.length < 3) return null;
  const target = targetName(data, 2);
  if (target === null) return null;
  const said = [`${u16(data, 0)}`, target.text];
  let at = target.end;
  let before = -1;
  for (let count = 0; at < data.length; count++) {
    if (at + 4 > data.length || count >= PARAMETERS_MAX) return null;
    const key = u16(data, at);
    const end = at + 4 + u16(data, at + 2);
    // Keys ascend, so that none can be there twice.
    if (end > data.length || key <= before) return null;
    const value = parameter(key, data.subarray(at + 4, end));
    if (value === null) return null;
    said.push(value === "" ? keyName(key) : `${keyName(key)}=${value}`);
    [before, at] = [key, end];
  }
  return said;
}

function targetName(data: Uint8Array, start: number): { readonly text: string; readonly end: number } | null {
  const labels: string[] = [];
  let at = start;
  for (;;) {
    const size = data[at];
    if (size === undefined || size > 63 || labels.length > LABELS_MAX || at + 1 + size > data.length) return null;
    if (size === 0) return { text: labels.length === 0 ? "." : `${labels.join(".").toLowerCase()}.`, end: at + 1 };
    labels.push(String.fromCharCode(...data.subarray(at + 1, at + 1 + size)));
    at += 1 + size;
  }
}

/** Null: not in the form that the key asks for. */
function parameter(key: number, value: Uint8Array): string | null {
  switch (keyName(key)) {
    case "mandatory":
      return value.length % 2 === 0 ? listOf(value, 2, (each) => keyName(u16(each, 0))) : null;
    case "alpn":
      return protocols(value);
    case "no-default-alpn":
      return value.length === 0 ? "" : null;
    case "port":
      return value.length === 2 ? `${u16(value, 0)}` : null;
    case "ipv4hint":
      return value.length % 4 === 0 ? listOf(value, 4, (each) => [...each].join(".")) : null;
    case "ipv6hint":
      return value.length % 16 === 0 ? listOf(value, 16, ipv6) : null;
    default:
      return hex(value);
  }
}

function listOf(value: Uint8Array, size: number, text: (each: Uint8Array) => string): string {
  return Array.from({ length: value.length / size }, (_, index) =>
    text(value.subarray(index * size, index * size + size)),
  ).join(",");
}

/** Each with its length before it. */
function protocols(value: Uint8Array): string | null {
  const names: string[] = [];
  for (let at = 0; at < value.length; at += 1 + value[at]!) {
    const end = at + 1 + value[at]!;
    if (end > value.length) return null;
    names.push(String.fromCharCode(...value.subarray(at + 1, end)));
  }
  return names.length === 0 ? null : names.join(",");
}

function ipv6(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, index) => u16(bytes, index * 2).toString(16));
  return new URL(`http://[${groups.join(":")}]/`).hostname.slice(1, -1);
}
