/** The longest text that an observation carries in one field. */
export const LINE_MAX = 512;

/**
 * Makes text from the network fit to be shown: control characters, line separators and direction overrides become visible
 * escapes (fault 17), and it ends after `max` UTF-16 units.
 */
export function plain(text: string, max: number = LINE_MAX): string {
  const escaped = text
    .slice(0, max)
    .replace(
      /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g,
      (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
  // A pair that the end cuts in two goes as a whole: half of one is no text, and would be escaped again further on.
  return escaped.length <= max ? escaped : `${escaped.slice(0, max - 1).replace(/[\ud800-\udbff]$/, "")}…`;
}
