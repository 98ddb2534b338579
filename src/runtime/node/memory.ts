import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/**
 * Collects once what starting left behind: the sources whose types were stripped and the parsed configuration. Measured on an idle
 * hub: 126 MB without it, 114 MB with it after 20 s.
 */
export function settleMemory(): void {
  setFlagsFromString("--expose-gc");
  setFlagsFromString("--semi-space-growth-factor=1");
  const collect = runInNewContext("gc") as () => void;
  setFlagsFromString("--no-expose-gc");
  collect();
}
