/** Addresses as text. */

/** Whether an address is of IPv6: no other has a colon. */
export const isIpv6 = (address: string): boolean => address.includes(":");

/** As it stands before a port (RFC 3986, 3.2.2). */
export const bracketed = (address: string): string => (isIpv6(address) ? `[${address}]` : address);

/** Where a resolver listens (RFC 1035, 4.2), and where over TLS (RFC 7858, 3.1). */
export const DNS_PORT = 53;
export const DOT_PORT = 853;
