import type { Attempt } from "../../core/delivery.ts";
import type { Send } from "../../deliver/outgoing.ts";

/** Seconds, or a date (RFC 9110, 10.2.3); null when there is none or it cannot be read. */
function retryAfterMillis(value: string | null): number | null {
  if (value === null) return null;
  if (/^\d{1,9}$/.test(value.trim())) return Number(value) * 1_000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? null : Math.max(0, date - Date.now());
}

/** One request by the platform's fetch. Its words for what went wrong carry no URL, which may be the secret itself. */
export const send: Send = async ({ method, url, headers, body }, signal): Promise<Attempt> => {
  try {
    const { target, credentials } = withoutCredentials(url);
    const reply = await fetch(target, {
      method,
      headers: { "user-agent": "hairpin-edge", accept: "*/*", ...credentials, ...headers },
      body,
      redirect: "manual",
      signal,
    });
    await reply.body?.cancel();
    return { kind: "answered", status: reply.status, retryAfter: retryAfterMillis(reply.headers.get("retry-after")) };
  } catch (error) {
    if (signal.aborted) return { kind: "failed", detail: "no answer in 10 s" };
    const words = error instanceof Error ? error.message : "failed";
    return { kind: "failed", detail: words.replaceAll(/https?:\/\/\S+/g, "the receiver").slice(0, 200) };
  }
};

/** https://user:password@host: fetch refuses such a URL. */
function withoutCredentials(url: string): { target: string; credentials: Record<string, string> } {
  const parsed = new URL(url);
  if (parsed.username === "") return { target: url, credentials: {} };
  const pair = `${decodeURIComponent(parsed.username)}:${decodeURIComponent(parsed.password)}`;
  parsed.username = "";
  parsed.password = "";
  return { target: parsed.href, credentials: { authorization: `Basic ${btoa(pair)}` } };
}
