import { serve } from "./channel.ts";
import { type KnownRecord, startDns, zoneOf } from "./dns-server.ts";
import { type Receiving, recorder } from "./recorder.ts";

/** The Internet as far as the lab needs it: resolvers that know every outgoing name, and the places that those names lead to. */
export interface WorldInit {
  readonly resolvers: readonly { readonly address: string; readonly port: number }[];
  readonly records: readonly KnownRecord[];
  readonly receiving: readonly Receiving[];
}

serve<WorldInit, never>(async (init) => {
  for (const { address, port } of init.resolvers)
    await startDns(
      address,
      port,
      zoneOf(init.records, () => null),
    );
  for (const receiving of init.receiving) await recorder(receiving).open();
  return () => {};
});
