import type { Step } from "./repair.ts";

/** The causes of faults.md, in the order in which they are looked for: the first whose evidence is there is the cause. */
export const CAUSES = [
  "parent_missing",
  "parent_down",
  "link_missing",
  "link_down",
  "link_drifted",
  "announced_on_parent",
  "speaker_stale_mac",
  "announced_elsewhere",
  "mac_conflict",
  "mac_unexpected",
  "lan_path",
  "site_network",
  "not_advertised",
  "no_endpoints",
  "stale_neighbour",
  "not_announced",
  "vm_path",
  "not_forwarded",
  "service_down",
  "upstream_dns",
  "answer_wrong",
  "certificate",
  "outside_path",
  "vantage_silent",
  "disputed",
  "unclassified",
] as const;

export type Cause = (typeof CAUSES)[number];

/** Who repairs a cause: the guard at once, a remedy behind the gates (with the step it starts at), or a person. */
export type Own =
  | { readonly by: "guard" }
  | { readonly by: "remedy"; readonly from: Step }
  | { readonly by: "person" }
  | { readonly by: "nobody" };

const person: Own = { by: "person" };

export const OWN: Readonly<Record<Cause, Own>> = {
  parent_missing: person,
  parent_down: person,
  link_missing: { by: "guard" },
  link_down: { by: "guard" },
  link_drifted: { by: "guard" },
  announced_on_parent: person,
  speaker_stale_mac: { by: "remedy", from: "restart-speaker" },
  announced_elsewhere: { by: "nobody" },
  mac_conflict: person,
  mac_unexpected: person,
  lan_path: person,
  site_network: person,
  not_advertised: person,
  no_endpoints: person,
  stale_neighbour: { by: "remedy", from: "announce" },
  not_announced: { by: "remedy", from: "announce" },
  vm_path: person,
  not_forwarded: person,
  service_down: person,
  upstream_dns: person,
  answer_wrong: person,
  certificate: person,
  outside_path: person,
  vantage_silent: person,
  disputed: person,
  unclassified: person,
};
