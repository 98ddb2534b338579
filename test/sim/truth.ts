/** The node as it really is: links, speaker, cluster. What the ports show is read from here; faults and commands change it. */

export interface TrueLink {
  name: string;
  ifindex: number;
  up: boolean;
  carrier: boolean;
  mac: string;
  parent: string | null;
  master: string | null;
  kind: string | null;
  mode: string | null;
}

export interface TruePod {
  name: string;
  uid: string;
  startedAt: number | null;
  ready: boolean;
  terminating: boolean;
}

export interface Truth {
  links: TrueLink[];
  nextIndex: number;
  sysctls: Map<string, number>;
  pod: TruePod | null;
  pods: number;
  /** ARP sockets of the speaker: interface index to the MAC it answers with. It reads the MAC once (facts/l2, F16). */
  sockets: Map<number, string>;
  /** Boot order: it met no link when it first looked, and gives its addresses up until it is told again. */
  gaveUp: boolean;
  gaveUpAt: number | null;
  /** It has its sockets and answers nothing: a restart cures it. */
  deaf: boolean;
  /** Every pod of it is deaf: nothing cures it. */
  broken: boolean;
  /** No kubelet starts a successor. */
  kubeletDown: boolean;
  /** The machine is off. */
  off: boolean;
  podSlow: number;
  apiDown: boolean;
  apiSlow: number;
  advertised: boolean;
  endpoints: number;
  onParent: boolean;
  rogue: string | null;
  serviceDown: boolean;
  upstreamDown: boolean;
  forwarding: boolean;
}

export const NODE = "n5";
export const LINK = "metallb0";
export const BRIDGE = "bridge0";
export const MAC = "f2:5a:5f:84:40:e8";
export const BRIDGE_MAC = "02:00:00:00:00:aa";
export const ROGUE_MAC = "02:66:66:66:66:66";
export const OTHER_MAC = "02:77:77:77:77:77";

const bridge = (ifindex: number): TrueLink => ({
  name: BRIDGE,
  ifindex,
  up: true,
  carrier: true,
  mac: BRIDGE_MAC,
  parent: null,
  master: null,
  kind: "bridge",
  mode: null,
});
const uplink = (ifindex: number): TrueLink => ({
  ...bridge(ifindex),
  name: "eth0",
  mac: "02:00:00:00:00:bb",
  master: BRIDGE,
  kind: null,
});

export function trueNode(): Truth {
  return {
    links: [uplink(2), bridge(3)],
    nextIndex: 4,
    sysctls: new Map(),
    pod: null,
    pods: 0,
    sockets: new Map(),
    gaveUp: false,
    gaveUpAt: null,
    deaf: false,
    broken: false,
    kubeletDown: false,
    off: false,
    podSlow: 0,
    apiDown: false,
    apiSlow: 0,
    advertised: true,
    endpoints: 1,
    onParent: false,
    rogue: null,
    serviceDown: false,
    upstreamDown: false,
    forwarding: true,
  };
}

export const linkOf = (truth: Truth, name: string): TrueLink | null =>
  truth.links.find((link) => link.name === name) ?? null;

/** The link is a macvlan with its MAC, up, on the bridge. */
export function linkIsRight(truth: Truth): boolean {
  const link = linkOf(truth, LINK);
  return link !== null && link.kind === "macvlan" && link.mac === MAC && link.up && link.parent === BRIDGE;
}

export const speakerRuns = (truth: Truth): boolean => truth.pod?.startedAt != null && !truth.pod.terminating;

/** Whether the speaker would announce over the link: what a ServiceL2Status says. */
export const announces = (truth: Truth): boolean =>
  speakerRuns(truth) && truth.advertised && truth.endpoints > 0 && !truth.gaveUp;

/** The MACs that answer a who-has for one of our addresses now. */
export function whoAnswers(truth: Truth): readonly string[] {
  const answers: string[] = [];
  const parent = linkOf(truth, BRIDGE);
  const link = linkOf(truth, LINK);
  if (parent?.up && announces(truth) && !truth.deaf) {
    const mac = link?.up ? truth.sockets.get(link.ifindex) : undefined;
    if (mac !== undefined) answers.push(mac);
    if (truth.onParent) answers.push(parent.mac);
  }
  if (truth.rogue !== null) answers.push(truth.rogue);
  return answers;
}

/** Whether packets sent to this MAC come to the service. */
export function reaches(truth: Truth, mac: string): boolean {
  const link = linkOf(truth, LINK);
  if (!linkOf(truth, BRIDGE)?.up || !truth.forwarding) return false;
  if (mac === BRIDGE_MAC) return true;
  if (link === null || !link.up || link.mac !== mac) return false;
  return truth.sysctls.get(`${LINK}.rp_filter`) !== 1 && truth.endpoints > 0;
}

/** The addresses work: the right MAC alone answers, and what is sent there arrives. */
export const isHealthy = (truth: Truth): boolean => {
  const answers = whoAnswers(truth);
  return answers.length === 1 && answers[0] === MAC && reaches(truth, MAC) && !truth.serviceDown;
};
