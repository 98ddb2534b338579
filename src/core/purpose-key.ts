import type { Hmac } from "./standard-webhooks.ts";

/**
 * What a vantage's key may be used for besides its observations and its plan, each with a key of its own. `heal` asks for a repair,
 * `read` reads the status of a private hub.
 */
export type Purpose = "heal" | "read";

/**
 * The key of one purpose, derived from a vantage's secret: HMAC-SHA256 of the secret over `hairpin.purpose.NAME.v1`, as a Standard
 * Webhooks secret. One way only: who has it cannot observe, and a recorded observation proves nothing to whoever asks for a repair.
 *
 * No signature of the vantage can be taken for such a key: what Standard Webhooks signs is `id.timestamp.body` with a timestamp of
 * digits, and the second part here is a word.
 */
export async function purposeKey(secret: string, purpose: Purpose, hmac: Hmac): Promise<string> {
  return `whsec_${await hmac(secret.slice(6), `hairpin.purpose.${purpose}.v1`)}`;
}
