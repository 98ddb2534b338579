import type { FailureCode } from "../core/failure.ts";
import type { NeighbourView, NetFault } from "./port.ts";

/** The kernel's words for "asked, and nobody answered". */
export function isAbsent(view: NeighbourView | null): boolean {
  return view?.state === "FAILED" || view?.state === "INCOMPLETE";
}

/** For the evidence: null where the routes could not be read or lead nowhere. */
export function isOnLink(view: NeighbourView): boolean | null {
  return view.way === null || view.way === "none" ? null : view.way === "on_link";
}

/**
 * Gives a fault its word of the closed list. A time-out alone cannot tell an absent neighbour from a silent service, since UDP in
 * Node never reports one and TCP only after 3.1 s: the neighbour table during the probe can (interface.md, "Failure codes").
 * EHOSTUNREACH is the kernel's "nobody answered ARP" only on-link; from further away it is a router's word.
 */
export function failureOf(fault: NetFault, view: NeighbourView | null): FailureCode {
  if (fault.timedOut || fault.errno === "ETIMEDOUT") return timeoutOf(fault, view);
  const errno = fault.errno ?? "";
  switch (errno) {
    case "ECONNREFUSED":
      return "refused";
    case "EHOSTUNREACH":
    case "EHOSTDOWN":
      return view?.way === "gateway" ? "unreachable" : "no_neighbour";
    case "ENETUNREACH":
    case "ENETDOWN":
    case "ENODEV":
    case "EADDRNOTAVAIL":
    case "EACCES":
    case "EPERM":
      return "unreachable";
    case "ECONNRESET":
    case "ECONNABORTED":
    case "EPIPE":
      return "reset";
    case "UND_ERR_SOCKET":
      return fault.stage === "tls" ? "tls_handshake" : "reset";
    case "UND_ERR_HEADERS_OVERFLOW":
      return "http_too_large";
  }
  if (fault.stage === "tls") return "tls_handshake";
  if (errno.startsWith("HPE_") || errno === "UND_ERR_RES_CONTENT_LENGTH_MISMATCH" || errno === "UND_ERR_INFO")
    return "http_malformed";
  return "unclassified";
}

function timeoutOf(fault: NetFault, view: NeighbourView | null): FailureCode {
  if (isAbsent(view)) return "no_neighbour";
  return fault.stage === "tls" ? "tls_handshake" : fault.stage === "exchange" ? "http_timeout" : "no_reply";
}
