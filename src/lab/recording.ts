import { request } from "node:http";
import type { HostFacts } from "../core/facts.ts";
import { LAB } from "./lab-config.ts";

/** How long the host may wait for news before it answers with what it has. */
const WAIT_MS = 2_000;
const AGAIN_MS = 500;

/**
 * Follows a host's facts as the hub does, at its unix socket, for as long as the lab lives: `onFacts` is called for each answer, news
 * or not, since that facts still stand is what the diagnosis counts.
 */
export function followFacts(host: string, onFacts: (facts: HostFacts) => void): void {
  let revision = 0;
  const again = (): void => {
    const options = {
      socketPath: `${LAB}/host-${host}.sock`,
      path: `/v1/facts?after=${revision}&wait_ms=${WAIT_MS}`,
      headers: { host: "hairpin" },
      timeout: WAIT_MS * 3,
    };
    const asked = request(options, (reply) => {
      let text = "";
      reply.setEncoding("utf8");
      reply.on("data", (chunk: string) => {
        text += chunk;
      });
      reply.on("end", () => {
        if (reply.statusCode === 200) {
          const facts = JSON.parse(text) as HostFacts;
          revision = facts.revision;
          onFacts(facts);
        }
        setTimeout(again, reply.statusCode === 200 ? 0 : AGAIN_MS);
      });
      reply.on("error", () => setTimeout(again, AGAIN_MS));
    });
    asked.on("timeout", () => asked.destroy(new Error("late")));
    asked.on("error", () => {
      revision = 0; // A host that is started anew counts from the beginning.
      setTimeout(again, AGAIN_MS);
    });
    asked.end();
  };
  again();
}
