import { makersOf } from "../boot.ts";
import type { LinkConfig } from "../config/schema.ts";
import type { BootSight } from "./examination.ts";
import { bad, type DoctorFinding, good, list, warning } from "./finding.ts";

const NETWORKD = "systemd-networkd";

/** Whether the link comes back after a reboot, with its MAC, and before the cluster looks for it. */
export function bootFindings(boot: BootSight, link: LinkConfig): readonly DoctorFinding[] {
  const { netdev, unit, late } = makersOf(boot, link);
  const persist = "hairpin link persist --print";
  if (netdev === undefined && unit === undefined) {
    const idle = boot.units.find((known) => known.link === link.name);
    const known =
      idle === undefined
        ? ["No .netdev of systemd-networkd and no unit of hairpin names it."]
        : [`${idle.path} is there and not enabled.`];
    const cure = idle === undefined ? `${persist}   # or deploy/host/install.sh` : `systemctl enable ${idle.unit}`;
    return [warning("boot", `${link.name} is not made at boot: it is gone after a restart.`, known, cure)];
  }
  const findings: DoctorFinding[] = [];
  if (netdev !== undefined) {
    const [path, mac] = [netdev.path, netdev.mac];
    if (mac === null)
      findings.push(
        warning(
          "boot",
          `${path} gives ${link.name} no fixed MACAddress: another MAC at each boot, and stale neighbours.`,
          [],
          `MACAddress=${link.mac}   # in [NetDev] of ${path}`,
        ),
      );
    else if (mac !== link.mac)
      findings.push(
        bad(
          "boot",
          `${path} gives ${link.name} the MAC ${mac}, declared is ${link.mac}.`,
          [],
          `MACAddress=${link.mac}   # in [NetDev] of ${path}`,
        ),
      );
  }
  if (netdev !== undefined && unit !== undefined)
    findings.push(
      warning(
        "boot",
        `Both ${netdev.path} and ${unit.unit} make ${link.name}: one is enough.`,
        [],
        `systemctl disable ${unit.unit}`,
      ),
    );
  const maker = unit?.unit ?? netdev?.path ?? "";
  if (late.length > 0) {
    const names = list(late.map((cluster) => cluster.service));
    const wanted = unit?.unit ?? `${NETWORKD}-wait-online@${link.name}.service`;
    const known = [
      `No drop-in of it has After=${wanted}; a speaker that looks before the link is there gives up for good.`,
    ];
    const cure = `systemctl edit ${late[0]!.service}   # [Unit] Wants=${wanted} After=${wanted}`;
    findings.push(warning("boot", `${names} may start before ${link.name} is there.`, known, cure));
  }
  if (findings.length > 0) return findings;
  const order = boot.clusters.length === 0 ? "; no k0s unit is here to order" : ", before the cluster starts";
  return [good("boot", `${maker} makes ${link.name} at boot with its MAC${order}.`)];
}
