import { isIP, type Socket } from "node:net";
import {
  checkServerIdentity,
  connect as connectTls,
  createSecureContext,
  type PeerCertificate,
  type SecureContext,
  type TLSSocket,
} from "node:tls";
import type { CertificateFacts } from "../../core/observation.ts";
import { daysLeft } from "../../probes/certificate.ts";
import { plain } from "../../probes/finding.ts";
import type { Attempt, ShownCertificate } from "../../probes/port.ts";
import { faultOf, timeoutFault } from "./probe-socket.ts";

/** One authority per check at most; parsing it anew each time would cost more than the handshake. */
const CONTEXTS_MAX = 64;
const NAMES_MAX = 64;

const contexts = new Map<string | null, SecureContext>();

function contextFor(caPem: string | null): SecureContext {
  const known = contexts.get(caPem);
  if (known !== undefined) return known;
  if (contexts.size >= CONTEXTS_MAX) contexts.clear();
  const made = createSecureContext(caPem === null ? {} : { ca: caPem });
  contexts.set(caPem, made);
  return made;
}

export interface Handshake {
  /** Sent in SNI where it is a name. */
  readonly serverName: string;
  readonly caPem: string | null;
  readonly timeout: number;
  /** Offered by ALPN; absent: none. */
  readonly protocols?: readonly string[];
}

/** The certificate is judged afterwards, as a fact of its own: an expired one must not hide whether the service works. */
export function handshake(socket: Socket, asked: Handshake, signal: AbortSignal): Promise<Attempt<TLSSocket>> {
  return new Promise((resolve) => {
    let secure: TLSSocket;
    try {
      secure = connectTls({
        socket,
        secureContext: contextFor(asked.caPem),
        rejectUnauthorized: false,
        checkServerIdentity: () => undefined,
        ...(asked.protocols === undefined ? {} : { ALPNProtocols: [...asked.protocols] }),
        ...(isIP(asked.serverName) === 0 ? { servername: asked.serverName } : {}),
      });
    } catch (error) {
      return resolve(faultOf("tls", error));
    }
    const end = (result: Attempt<TLSSocket>) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      resolve(result);
    };
    const onAbort = () => end(timeoutFault("tls", "no TLS handshake in the time allowed"));
    const timer = setTimeout(() => end(timeoutFault("tls", `no TLS handshake in ${asked.timeout} ms`)), asked.timeout);
    signal.addEventListener("abort", onAbort, { once: true });
    secure.on("error", (error) => end(faultOf("tls", error)));
    secure.once("secureConnect", () => end({ ok: true, value: secure }));
  });
}

export function shownBy(secure: TLSSocket, serverName: string): ShownCertificate | null {
  const certificate = secure.getPeerCertificate();
  if (certificate === null || certificate.raw === undefined) return null;
  const chainError = secure.authorizationError;
  return {
    facts: factsOf(certificate),
    chainError: chainError == null ? null : plain(String(chainError), 64),
    nameMatches: checkServerIdentity(serverName, certificate) === undefined,
  };
}

function factsOf(certificate: PeerCertificate): CertificateFacts {
  const validTo = isoDate(certificate.valid_to);
  return {
    subject: distinguished(certificate.subject),
    issuer: distinguished(certificate.issuer),
    valid_from: isoDate(certificate.valid_from),
    valid_to: validTo,
    days_left: daysLeft(validTo, Date.now()),
    names: (certificate.subjectaltname ?? "")
      .split(", ")
      .filter((name) => name !== "")
      .slice(0, NAMES_MAX)
      .map((name) => plain(name.replace(/^(DNS|IP Address):/, ""))),
    fingerprint: certificate.fingerprint256 ?? null,
    trusted: false,
  };
}

function isoDate(text: string): string | null {
  const millis = Date.parse(text);
  return Number.isNaN(millis) ? null : new Date(millis).toISOString();
}

function distinguished(name: PeerCertificate["subject"] | undefined): string | null {
  const parts = Object.entries(name ?? {}).map(([key, value]) => `${key}=${String(value)}`);
  return parts.length === 0 ? null : plain(parts.join(", "));
}
