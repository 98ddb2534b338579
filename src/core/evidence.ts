/** Bounds of what a vantage tells beside a result. Without the wire's schemas, whose library a vantage does not load. */

/** At most so many are remembered of one address. */
export const FORMER_MACS_MAX = 8;
export const MAC_CHANGES_MAX = 4;
/** In seconds. hass-oidc-auth takes 5 (facts: "OIDC in HA"); a Date has whole ones, and one passes on the way. */
export const LOGIN_SKEW_MAX = 6;
