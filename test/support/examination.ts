import type { Examination } from "../../src/core/doctor/examination.ts";
import { checksOf, DNS, houseOf, type Sight, WEB } from "./house.ts";

/** What the doctor looked at from a vantage that saw this, or, where it is said so, from the host. */
export function examOf(
  sights: { resolver?: Sight; proxy?: Sight } = {},
  change: Partial<Examination> = {},
): Examination {
  const where = change.where ?? "lan";
  const checks = [...checksOf("resolver", sights.resolver), ...checksOf("proxy", sights.proxy)];
  return {
    house: houseOf(),
    file: "hairpin.yaml",
    warnings: [],
    where,
    control: { ok: true, gateway_ms: 0.4 },
    checks: where === "host" ? checks.filter((check) => check.check !== "neighbour") : checks,
    ways: [DNS, WEB].map((address) => ({ address, way: "on_link", device: "eth0" })),
    names: [],
    neighbourOfHost: null,
    strangers: null,
    links: [],
    boot: null,
    homeAssistants: [],
    isHub: true,
    ...change,
  };
}
