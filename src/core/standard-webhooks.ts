/**
 * Standard Webhooks, symmetric scheme v1 (github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md).
 * HMAC and base64 come in through a port, so that the same file serves Node, workerd and the simulation.
 */

/** HMAC-SHA256 of the UTF-8 text under the base64 key, as base64. */
export type Hmac = (keyBase64: string, text: string) => Promise<string>;

export interface SignedHeaders {
  readonly "webhook-id": string;
  readonly "webhook-timestamp": string;
  readonly "webhook-signature": string;
}

/** An id without a dot: a dot would make the signed text `id.timestamp.body` ambiguous. */
export const WEBHOOK_ID = /^[A-Za-z0-9_-]{1,64}$/;
/** Seconds by which a timestamp may differ from the receiver's clock (the specification's reference value). */
export const TOLERANCE_SECONDS = 300;
/** `whsec_` and 24 to 64 bytes in base64 (spec, "Signature scheme"). */
export const SECRET =
  /^whsec_(?=[A-Za-z0-9+/]{32,88}={0,2}$)([A-Za-z0-9+/]{4})+([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

export function isSecret(secret: string): boolean {
  return SECRET.test(secret);
}

/** Signs with every secret given: several while a key is being rotated. Throws when an id or a secret is not of its form. */
export async function sign(
  secrets: readonly string[],
  id: string,
  seconds: number,
  body: string,
  hmac: Hmac,
): Promise<SignedHeaders> {
  if (!WEBHOOK_ID.test(id)) throw new Error(`not a webhook id: ${JSON.stringify(id)}`);
  const signatures: string[] = [];
  for (const secret of secrets) {
    if (!isSecret(secret)) throw new Error("not a Standard Webhooks secret: whsec_ and 24 to 64 bytes in base64");
    signatures.push(`v1,${await hmac(secret.slice(6), `${id}.${seconds}.${body}`)}`);
  }
  return { "webhook-id": id, "webhook-timestamp": String(seconds), "webhook-signature": signatures.join(" ") };
}

export type Verified =
  | { readonly ok: true; readonly id: string; readonly seconds: number }
  | { readonly ok: false; readonly reason: string };

/**
 * Verifies a signed message against any of the secrets. Never throws for what the network sends; the reason is for the log, the
 * sender gets the same 401 for all of them.
 */
export async function verify(
  secrets: readonly string[],
  headers: { readonly get: (name: string) => string | null | undefined },
  body: string,
  nowSeconds: number,
  hmac: Hmac,
): Promise<Verified> {
  const id = headers.get("webhook-id") ?? "";
  const timestamp = headers.get("webhook-timestamp") ?? "";
  const signature = headers.get("webhook-signature") ?? "";
  if (!WEBHOOK_ID.test(id)) return { ok: false, reason: "webhook-id is missing or not of its form" };
  if (!/^\d{1,12}$/.test(timestamp)) return { ok: false, reason: "webhook-timestamp is missing or not a number" };
  const seconds = Number(timestamp);
  if (Math.abs(nowSeconds - seconds) > TOLERANCE_SECONDS) {
    return { ok: false, reason: `webhook-timestamp is ${Math.round(nowSeconds - seconds)} s away from this clock` };
  }
  const given = signature
    .split(" ")
    .slice(0, 16)
    .filter((part) => part.startsWith("v1,"));
  if (given.length === 0) return { ok: false, reason: "webhook-signature has no v1 signature" };
  let matched = false;
  for (const secret of secrets) {
    const expected = `v1,${await hmac(secret.slice(6), `${id}.${timestamp}.${body}`)}`;
    for (const part of given) if (sameText(part, expected)) matched = true;
  }
  return matched ? { ok: true, id, seconds } : { ok: false, reason: "no signature matches" };
}

/** Compares in a time that depends on the lengths alone. */
export function sameText(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let index = 0; index < a.length; index++)
    difference |= a.charCodeAt(index) ^ b.charCodeAt(index % (b.length || 1));
  return difference === 0;
}
