const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let word = byte;
  for (let bit = 0; bit < 8; bit++) word = word & 1 ? (word >>> 1) ^ 0xedb88320 : word >>> 1;
  return word;
});

/** CRC-32 (IEEE 802.3) as eight hex digits. It finds torn and rotten lines; it is no protection against a forger. */
export function crc32(bytes: Uint8Array): string {
  let word = 0xffffffff;
  for (const byte of bytes) word = TABLE[(word ^ byte) & 0xff]! ^ (word >>> 8);
  return ((word ^ 0xffffffff) >>> 0).toString(16).padStart(8, "0");
}
