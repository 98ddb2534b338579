import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { ZodError } from "zod";
import { pointer } from "./json.ts";

/** One thing that is wrong with a body; `path` is a JSON Pointer (RFC 6901). */
export interface FieldError {
  readonly path: string;
  readonly message: string;
}

/** RFC 9457. `type` is about:blank: the status says what kind it is, `detail` what to do. */
export interface ProblemOptions {
  readonly detail?: string;
  readonly errors?: readonly FieldError[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly more?: Readonly<Record<string, unknown>>;
}

const TITLES: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  406: "Not Acceptable",
  409: "Conflict",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  421: "Misdirected Request",
  422: "Unprocessable Content",
  423: "Locked",
  429: "Too Many Requests",
  500: "Internal Server Error",
  503: "Service Unavailable",
};

export function problem(c: Context, status: ContentfulStatusCode, options: ProblemOptions = {}): Response {
  const title = TITLES[status] ?? "Error";
  const body = {
    type: "about:blank",
    title,
    status,
    detail: options.detail ?? title,
    ...(options.errors ? { errors: options.errors } : {}),
    ...options.more,
  };
  return c.body(JSON.stringify(body), status, { "content-type": "application/problem+json", ...options.headers });
}

/** At most this many are listed: a body of 256 KiB can hold thousands of mistakes. */
const ERRORS_MAX = 20;

export function invalid(c: Context, error: Pick<ZodError, "issues">): Response {
  const errors = error.issues.slice(0, ERRORS_MAX).map((issue) => ({
    path: pointer(issue.code === "unrecognized_keys" ? [...issue.path, issue.keys[0] ?? ""] : issue.path),
    message: issue.message.slice(0, 200),
  }));
  return problem(c, 422, {
    detail: errors[0] ? `${errors[0].path || "the body"}: ${errors[0].message}` : "the body is not valid",
    errors,
  });
}

export function tooMany(c: Context, retryAfterMillis: number, detail = "slow down"): Response {
  return problem(c, 429, {
    detail,
    headers: { "retry-after": String(Math.max(1, Math.ceil(retryAfterMillis / 1_000))) },
  });
}
