import { isIP, type Socket } from "node:net";
import { connect as connectTls, type PeerCertificate, type TLSSocket } from "node:tls";

/** What the way to a broker over TLS depends on. `ca` null: the system's authorities. */
export interface BrokerTls {
  readonly host: string;
  readonly port: number;
  /** The name to look for in the certificate; null: the host of the URL. */
  readonly serverName: string | null;
  readonly ca: string | null;
}

/** OpenSSL's words for a chain that ends at nobody who is trusted. */
const UNTRUSTED: ReadonlySet<string> = new Set([
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "CERT_SIGNATURE_FAILURE",
]);
/** Of the names in a certificate, as many as a line of the log holds. */
const NAMES_SHOWN = 4;

/** Turns an open connection into a TLS one, verified. Rejects with words that say what to write into hairpin.yaml. */
export function secureBroker(socket: Socket, access: BrokerTls, signal: AbortSignal): Promise<TLSSocket> {
  const wanted = access.serverName ?? access.host;
  return new Promise<TLSSocket>((resolve, reject) => {
    const tls = connectTls({
      socket,
      host: wanted,
      ...(isIP(wanted) === 0 ? { servername: wanted } : {}),
      ...(access.ca === null ? {} : { ca: access.ca }),
    });
    // Not `once`: a connection that is torn down in its handshake may fail a second time, and nobody else listens then.
    const fail = (error: Error) => {
      signal.removeEventListener("abort", onAbort);
      socket.destroy();
      reject(new Error(sayTlsFault(error, access)));
    };
    const onAbort = () => {
      tls.destroy();
      fail(new Error(`no TLS handshake in time at port ${access.port}`));
    };
    signal.addEventListener("abort", onAbort, { once: true });
    tls.once("secureConnect", () => {
      signal.removeEventListener("abort", onAbort);
      tls.removeListener("error", fail);
      resolve(tls);
    });
    tls.on("error", fail);
    if (signal.aborted) onAbort();
  });
}

/** What the library found, in words for hairpin.yaml; its own word stays at the end, to search for. */
function sayTlsFault(error: Error, { host, port, serverName, ca }: BrokerTls): string {
  const { code = "", message, cert } = error as { code?: string; message: string; cert?: PeerCertificate };
  if (UNTRUSTED.has(code))
    return ca === null
      ? `the broker's certificate is signed by an authority that this machine does not know: say ca_file: the authority's certificate in PEM form (${code})`
      : `the broker's certificate is not signed by the authority in ca_file (${code})`;
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    const names = namesOf(cert);
    const first = names.find((name) => !name.startsWith("*")) ?? "NAME";
    return `the broker's certificate is for ${names.slice(0, NAMES_SHOWN).join(", ") || "no name"}, not for ${serverName ?? host}: say server_name: ${first}, or give the broker one for ${serverName ?? host} (${code})`;
  }
  if (code === "CERT_HAS_EXPIRED" || code === "CERT_NOT_YET_VALID")
    return `the broker's certificate: ${message} (${code})`;
  if (code === "ECONNRESET" || code === "EPROTO" || code.startsWith("ERR_SSL"))
    return `no TLS at port ${port}: a broker without it wants mqtt://, one with it listens at 8883 (${code})`;
  return code === "" || message.includes(code) ? message : `${message} (${code})`;
}

/** The names and addresses that a certificate is for, made of letters that harm no log. */
function namesOf(cert: PeerCertificate | undefined): readonly string[] {
  const listed = (cert?.subjectaltname ?? "").split(", ").map((entry) => entry.replace(/^(DNS|IP Address):/, ""));
  return listed.filter((name) => /^[A-Za-z0-9.:*_-]{1,253}$/.test(name));
}
