/** Both clients reach both addresses, by whichever way frames go. */
import { run } from "../../../src/lab/shell.ts";
import { stage } from "./stage.ts";

/** arping knows no IPv6: what the kernel has learnt by asking is as good. */
const held = async (ns: string, address: string) => {
  const { stdout } = await run(["ip", "-n", ns, "neigh", "show", "to", address]);
  return [...stdout.matchAll(/lladdr ([0-9a-f:]{17})/g)].map((match) => match[1]!);
};

const [brnf = "1", config] = process.argv.slice(2);

await stage({ brnf: Number(brnf), ...(config === undefined ? {} : { config }) }, async ({ house, ask, whoHas }) => {
  const found: Record<string, unknown> = {};
  for (const machine of house.plan.machines) {
    const answers = await ask(machine.ns);
    const macs: Record<string, readonly string[]> = {};
    if (machine.at !== "router") {
      for (const address of house.plan.pods.flatMap((pod) => pod.addresses))
        macs[address] = await (address.includes(":") ? held(machine.ns, address) : whoHas(machine.ns, address));
    }
    found[machine.ns] = { answers, macs };
  }
  found[house.plan.node.ns] = { answers: await ask(house.plan.node.ns), macs: {} };
  return found;
});
