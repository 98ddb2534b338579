import { createResolver } from "../runtime/node/hub-resolver.ts";
import { createExchange } from "../runtime/node/hub-send.ts";
import { safe } from "./hub-client.ts";

export interface EdgeReply {
  readonly status: number;
  readonly body: unknown;
  /** The edge's clock minus this one's, in milliseconds, to the second; null when it does not say. */
  readonly skew: number | null;
}

/** An edge that gives no answer: exit code 3, cannot tell. */
export class EdgeError extends Error {
  override name = "EdgeError";
}

/** A list of 1,000 sites is 300 KB. */
const ANSWER_MAX = 2_097_152;
const TIMEOUT_MS = 15_000;

/** Asks the edge one thing. Redirects are not followed: a token goes to the edge and to nobody else. */
export async function askEdge(
  method: "GET" | "POST" | "PUT" | "DELETE",
  url: string,
  token: string | null,
  body?: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<EdgeReply> {
  const exchange = createExchange(createResolver([], { get: () => null, set: () => {} }), ANSWER_MAX);
  const sent = Date.now();
  const answer = await exchange(
    {
      method,
      url,
      headers: {
        accept: "application/json",
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      body: body ?? null,
    },
    AbortSignal.timeout(TIMEOUT_MS),
  );
  if (answer.kind === "failed")
    throw new EdgeError(`no answer from the edge at ${new URL(url).origin}: ${answer.detail}`);
  const date = Date.parse(answer.date ?? "");
  const skew = Number.isNaN(date) ? null : date + 500 - (sent + Date.now()) / 2;
  if (answer.body === null) throw new EdgeError("the edge's answer is too large");
  try {
    return { status: answer.status, body: answer.body === "" ? null : JSON.parse(answer.body), skew };
  } catch {
    if (answer.status >= 200 && answer.status < 300)
      throw new EdgeError(`what answers at ${new URL(url).origin} is not an edge`);
    return { status: answer.status, body: null, skew };
  }
}

const HINTS: Readonly<Record<number, string>> = {
  401: "; give --token-file, or is this the token that `hairpin edge deploy` set?",
  404: "; hairpin edge add-site makes it known there",
};

/** Says on stderr why the edge refused. */
export function sayRefusal(reply: EdgeReply): number {
  const { detail, title, errors } = (reply.body ?? {}) as {
    detail?: string;
    title?: string;
    errors?: readonly { path: string; message: string }[];
  };
  const where = (errors ?? []).map(({ path, message }) => `\n  ${safe(path)}: ${safe(message)}`).join("");
  process.stderr.write(
    `hairpin edge: the edge answered ${reply.status}: ${safe(detail ?? title ?? "")}${HINTS[reply.status] ?? ""}${where}\n`,
  );
  return 1;
}

/** Runs a command's body; an edge that cannot be asked is exit code 3. */
export async function tellEdge(work: () => Promise<number>): Promise<number> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error;
    process.stderr.write(`hairpin edge: ${safe(error.message)}\n`);
    return 3;
  }
}
