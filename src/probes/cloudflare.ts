import type { NetFault } from "./port.ts";

/** What each means, by Cloudflare's list of the statuses that it makes itself (developers.cloudflare.com, "Cloudflare 5xx errors"). */
const FAULTS: Readonly<Record<number, Omit<NetFault, "message"> & { readonly words: string }>> = {
  521: { stage: "connect", timedOut: false, errno: "ECONNREFUSED", words: "the origin refused the connection" },
  522: { stage: "connect", timedOut: true, errno: null, words: "the origin took no connection in time" },
  523: { stage: "connect", timedOut: false, errno: "ENETUNREACH", words: "no way to the origin" },
  524: { stage: "exchange", timedOut: true, errno: null, words: "the origin did not answer in time" },
  525: { stage: "tls", timedOut: false, errno: null, words: "no TLS handshake with the origin" },
  526: { stage: "tls", timedOut: false, errno: null, words: "the origin's certificate is not valid" },
  530: {
    stage: "connect",
    timedOut: false,
    errno: "ENETUNREACH",
    words: "the tunnel is down or its name does not resolve",
  },
};

/**
 * A public name that stands behind Cloudflare answers from there also when the house does not: with a status that says what became
 * of the way into the house. Null for an answer of the house itself.
 */
export function faultBehindCloudflare(status: number, server: string | undefined): NetFault | null {
  const known = server?.toLowerCase() === "cloudflare" ? FAULTS[status] : undefined;
  if (known === undefined) return null;
  const { words, ...fault } = known;
  return { ...fault, message: `Cloudflare answers HTTP ${status}: ${words}` };
}
