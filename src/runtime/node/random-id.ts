import { randomBytes } from "node:crypto";

const LETTERS = "abcdefghijkmnpqrstuvwxyz";
const ALPHABET = `${LETTERS}23456789`;

/**
 * Letters and digits that are not taken for each other, a letter first. Home Assistant reads whatever a template gives as a Python
 * literal: of `ev-3-4is9ab` it warns in its log of an invalid decimal, since `is` follows a number.
 */
export function randomId(length: number): string {
  return [...randomBytes(length)]
    .map((byte, index) => (index === 0 ? LETTERS[byte % LETTERS.length] : ALPHABET[byte % ALPHABET.length]))
    .join("");
}
