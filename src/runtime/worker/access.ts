/**
 * Cloudflare Access puts a signed assertion before each request that it lets through (developers.cloudflare.com, "Validate JWTs").
 * A header that is merely there proves nothing: a *.workers.dev name is reached without passing Access at all.
 */

/** The team's keys are changed every six weeks; they are fetched again after an hour, or when an unknown one is named. */
const KEYS_LIVE = 3_600_000;
/** An assertion that names unknown keys makes the edge fetch at most so often. */
const FETCH_EVERY = 30_000;
const LEEWAY_SECONDS = 30;

interface Keys {
  readonly at: number;
  readonly byId: ReadonlyMap<string, CryptoKey>;
}

const RS256 = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" } as const;

function bytesOf(base64url: string): Uint8Array {
  const text = atob(base64url.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

function jsonOf(part: string): Record<string, unknown> {
  return JSON.parse(new TextDecoder().decode(bytesOf(part))) as Record<string, unknown>;
}

/** `team` is the part before .cloudflareaccess.com, or a whole origin; `audience` is the application's AUD tag. */
export function accessOf(team: string, audience: string): (assertion: string) => Promise<boolean> {
  const issuer = team.includes("://") ? team.replace(/\/+$/, "") : `https://${team}.cloudflareaccess.com`;
  let keys: Keys = { at: 0, byId: new Map() };

  async function keyOf(id: string): Promise<CryptoKey | null> {
    const age = Date.now() - keys.at;
    const known = keys.byId.get(id);
    if (known !== undefined && age < KEYS_LIVE) return known;
    if (age < FETCH_EVERY) return known ?? null;
    // Before it is known whether the team answers: one that does not is not asked at every request.
    keys = { ...keys, at: Date.now() };
    const reply = await fetch(`${issuer}/cdn-cgi/access/certs`, {
      signal: AbortSignal.timeout(5_000),
      redirect: "manual",
    });
    if (reply.status !== 200) return known ?? null;
    const found = (await reply.json()) as { keys?: readonly JsonWebKey[] };
    const byId = new Map<string, CryptoKey>();
    for (const jwk of (found.keys ?? []).slice(0, 16) as readonly (JsonWebKey & { kid?: string })[])
      if (jwk.kid !== undefined) byId.set(jwk.kid, await crypto.subtle.importKey("jwk", jwk, RS256, false, ["verify"]));
    keys = { at: Date.now(), byId };
    return byId.get(id) ?? null;
  }

  return async (assertion) => {
    const [head, payload, signature, ...rest] = assertion.split(".");
    if (assertion.length > 8_192 || head === undefined || payload === undefined || signature === undefined)
      return false;
    if (rest.length > 0) return false;
    try {
      const { alg, kid } = jsonOf(head);
      if (alg !== "RS256" || typeof kid !== "string") return false;
      const key = await keyOf(kid);
      if (key === null) return false;
      const text = new TextEncoder().encode(`${head}.${payload}`);
      if (!(await crypto.subtle.verify(RS256, key, bytesOf(signature), text))) return false;
      const { aud, iss, exp, nbf } = jsonOf(payload);
      const now = Date.now() / 1_000;
      const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
      return (
        iss === issuer &&
        audiences.includes(audience) &&
        typeof exp === "number" &&
        exp + LEEWAY_SECONDS > now &&
        (typeof nbf !== "number" || nbf - LEEWAY_SECONDS <= now)
      );
    } catch {
      return false;
    }
  };
}
