/** Both clients reach both addresses, by whichever way frames go. */
import { stage } from "./stage.ts";

const [brnf = "1", config] = process.argv.slice(2);

await stage({ brnf: Number(brnf), ...(config === undefined ? {} : { config }) }, async ({ house, ask, whoHas }) => {
  const found: Record<string, unknown> = {};
  for (const machine of house.plan.machines) {
    const macs: Record<string, readonly string[]> = {};
    if (machine.at !== "router") {
      for (const address of house.plan.pods.flatMap((pod) => pod.addresses))
        macs[address] = await whoHas(machine.ns, address);
    }
    found[machine.ns] = { answers: await ask(machine.ns), macs };
  }
  found[house.plan.node.ns] = { answers: await ask(house.plan.node.ns), macs: {} };
  return found;
});
