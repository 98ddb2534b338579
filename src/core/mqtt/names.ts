/** Short words that people write in capitals. */
const CAPITALS: ReadonlySet<string> = new Set([
  "dns",
  "vm",
  "lan",
  "ha",
  "oidc",
  "http",
  "https",
  "ip",
  "nas",
  "vpn",
  "wan",
  "iot",
]);

/** A name of the configuration as a person would write it: "ha-vm" is "HA VM", "reverse_proxy" is "Reverse proxy". */
export function spoken(name: string): string {
  const words = name.split(/[-_]+/).filter((word) => word !== "");
  const said = words.map((word) => (CAPITALS.has(word.toLowerCase()) ? word.toUpperCase() : word)).join(" ");
  return said === "" ? name : said.charAt(0).toUpperCase() + said.slice(1);
}

/**
 * What Home Assistant makes of a name when it derives an entity id: lower case, and everything but letters and digits is one `_`.
 * Our names are ASCII, so nothing has to be transliterated.
 */
export function slug(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "_")
    .replace(/^_+|_+$/g, "");
}
