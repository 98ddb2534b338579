import type { HousePlan, Machine } from "./house-plan.ts";
import { toAddress } from "./network.ts";

/** The house as text: who is plugged in where, and what answers for the addresses. */
export function drawHouse(plan: HousePlan, brnf: number): readonly string[] {
  const { node, pods, house } = plan;
  const link = house.links[0];
  const name = (machine: Machine) =>
    `${machine.ns} ${machine.address}${machine === plan.homeAssistant ? " (Home Assistant's stand-in)" : ""}`;
  const lan = [
    `router ${plan.gateway}`,
    ...plan.machines.filter((machine) => machine.at === "switch").map(name),
    ...plan.machines.filter((machine) => machine.at === "router").map((machine) => `${name(machine)} behind a router`),
  ];
  const guests = plan.machines.filter((machine) => machine.at === "bridge");
  const width = Math.max(20, ...lan.map((text) => text.length), ...guests.map((guest) => name(guest).length));
  const left = [
    ...lan.map(
      (text, index) => `${text.padEnd(width)} ${index === 0 ? "─┐" : index === lan.length - 1 ? "─┴─ switch" : "─┤"}`,
    ),
    ...guests.map((guest) => `${name(guest).padEnd(width)} ─── ${guest.port}`),
  ];
  const announced = link === undefined ? `${node.bridge} (no link of its own)` : `${link.name}  ${link.mac}`;
  const right = [
    `${node.name}: ${node.bridge} ${node.address}`,
    plan.shape === "guest"
      ? `a guest: tap100i0 ─ fwbr100i0 ─ vmbr0 · bridge-nf-call-iptables ${brnf}`
      : `uplink ${node.uplink} · bridge-nf-call-iptables ${brnf}`,
    ` └─ ${announced}`,
    ...pods.map((pod) => `     ${pod.target.name.padEnd(10)} ${pod.addresses.join(", ")} → pod ${pod.ip}`),
  ];
  const column = Math.max(...left.map((text) => text.length)) + 2;
  const rows = Math.max(left.length, right.length);
  const bodies = Array.from({ length: rows }, (_, row) =>
    `   ${(left[row] ?? "").padEnd(column)} │ ${right[row] ?? ""}`.trimEnd(),
  );
  return [
    `   The house "${house.site}", simulated in network namespaces: ${toAddress(plan.lan.base)}/${plan.lan.prefix}`,
    "",
    ...bodies,
  ];
}
