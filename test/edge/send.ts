import type { Send } from "../../src/deliver/outgoing.ts";

/** The platform's fetch, as the Worker has it. */
export const send: Send = async ({ method, url, headers, body }, signal) => {
  try {
    const reply = await fetch(url, { method, headers, body, redirect: "manual", signal });
    await reply.arrayBuffer();
    return { kind: "answered", status: reply.status, retryAfter: null };
  } catch (error) {
    return { kind: "failed", detail: (error as Error).message };
  }
};
