import type { House, Vantage } from "../core/config/house.ts";
import type { lanHints, Machine } from "./house-plan.ts";
import { type AddressBook, type Network, toAddress } from "./network.ts";

interface Placing {
  readonly hints: ReturnType<typeof lanHints>;
  readonly inLan: (address: string | null) => string | null;
  readonly book: AddressBook;
  readonly routedNet: Network;
  readonly nodeAddress: string;
  readonly hubAddress: string;
}

/** Places each vantage that is not on the host where its `where` says. */
export function machinesOf(
  house: House,
  { hints, inLan, book, routedNet, nodeAddress, hubAddress }: Placing,
): readonly Machine[] {
  const hinted = [hints.homeAssistant, ...hints.from].filter(
    (address, index, all) => inLan(address) !== null && address !== nodeAddress && all.indexOf(address) === index,
  ) as string[];
  const hubElsewhere = hubAddress !== nodeAddress;
  let routed = 10;
  const count = { vm: 0, lan: 0 };
  const place = (vantage: Vantage): Machine => {
    if (vantage.where === "routed") {
      return {
        ns: vantage.name,
        address: toAddress(routedNet.base + routed++),
        at: "router",
        port: `p-r${routed}`,
        vantages: [vantage.name],
      };
    }
    if (vantage.where === "vm") {
      count.vm += 1;
      return {
        ns: vantage.name,
        address: hinted.shift() ?? book.take(10 + count.vm),
        at: "bridge",
        port: `vnet${count.vm}`,
        vantages: [vantage.name],
      };
    }
    count.lan += 1;
    const address =
      count.lan === 1 && hubElsewhere && hubAddress !== hints.homeAssistant ? hubAddress : book.take(99 + count.lan);
    return { ns: vantage.name, address, at: "switch", port: `p-lan${count.lan}`, vantages: [vantage.name] };
  };
  const off = house.vantages.filter((vantage) => vantage.where !== "host");
  // Guests first: they are the likeliest owners of the addresses that the configuration names.
  const guests = off.filter((vantage) => vantage.where === "vm").map(place);
  return [...guests, ...off.filter((vantage) => vantage.where !== "vm").map(place)];
}

/** Where Home Assistant lives: at its address, whoever has it; else on a guest of the bridge, a made-up one if need be. */
export function homeAssistantAt(
  machines: readonly Machine[],
  address: string | null,
  book: AddressBook,
  house: House,
  inLan: Placing["inLan"],
): Machine | null {
  if (!house.notify.some((entry) => "home_assistant" in entry)) return null;
  const there = machines.find((machine) => machine.address === address);
  if (there !== undefined) return there;
  const guest = machines.find((machine) => machine.at === "bridge");
  if (inLan(address) === null && guest !== undefined) return guest;
  const ns = machines.some((machine) => machine.ns === "home-assistant") ? "lab-home-assistant" : "home-assistant";
  return { ns, address: inLan(address) ?? book.take(10), at: "bridge", port: "vnet90", vantages: [] };
}
