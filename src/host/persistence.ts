import type { LinkConfig } from "../core/config/schema.ts";
import { createCommand } from "./link.ts";
import { SYSCTLS } from "./port.ts";

/** One file that a person puts in place: its path, and what stands in it. */
export interface BootFile {
  readonly path: string;
  readonly text: string;
}

/**
 * The link at boot, owned by systemd: hairpin's absence must never cost the interface. The unit is ordered before k0s, since a
 * speaker that starts before the link gives its addresses up for good (facts/l2, boot order). It creates and never deletes, and
 * running it again does no harm.
 */
export function bootUnit(link: LinkConfig): readonly BootFile[] {
  const conf = `/proc/sys/net/ipv4/conf/${link.name}`;
  const lines = [
    `ip link show dev ${link.name} >/dev/null 2>&1 || ip ${createCommand(link).join(" ")}`,
    ...SYSCTLS.map((key) => `echo ${link.sysctl[key]} > ${conf}/${key}`),
    ...link.addresses.map((address) => `ip address replace ${address} dev ${link.name}`),
    ...(link.fdb_local ? [`bridge fdb replace ${link.mac} dev ${link.parent} self local || true`] : []),
    `ip link set dev ${link.name} up`,
  ];
  const device = `sys-subsystem-net-devices-${escapeUnit(link.parent)}.device`;
  const unit = `hairpin-link-${escapeUnit(link.name)}.service`;
  return [
    {
      path: `/etc/systemd/system/${unit}`,
      text: `[Unit]
Description=macvlan ${link.name} on ${link.parent} for MetalLB
BindsTo=${device}
After=${device} network-pre.target
Before=k0scontroller.service k0sworker.service

[Service]
Type=oneshot
RemainAfterExit=yes
${lines.map((line) => `ExecStart=/bin/sh -c '${line}'`).join("\n")}

[Install]
WantedBy=multi-user.target ${device}
`,
    },
    ...["k0scontroller", "k0sworker"].map((service) => ({
      path: `/etc/systemd/system/${service}.service.d/hairpin-link.conf`,
      text: `# Wants, not Requires: a missing link is no reason to stop the control plane.\n[Unit]\nWants=${unit}\nAfter=${unit}\n`,
    })),
  ];
}

/** systemd.unit(5), "String Escaping": what is not a letter, a digit, `:`, `_` or `.` becomes its code. */
export function escapeUnit(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9:_.]|^\./g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`);
}
