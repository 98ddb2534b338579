import { jsonSchemaOf, problemSchema } from "../core/wire.ts";
import { ROUTES, type Route } from "./routes.ts";

/** The OpenAPI document, built from the schemas that the hooks check with. */
export function openapi(version: string): unknown {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of ROUTES)
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operation(route) };
  return {
    openapi: "3.1.0",
    info: { title: "hairpin hub", version, license: { name: "Apache-2.0", identifier: "Apache-2.0" } },
    paths,
    components: {
      securitySchemes: {
        token: { type: "http", scheme: "bearer", description: "A token of hub.tokens with the scope that is named" },
        signature: {
          type: "apiKey",
          in: "header",
          name: "webhook-signature",
          description: "Standard Webhooks v1, with webhook-id and webhook-timestamp",
        },
      },
      schemas: { Problem: jsonSchemaOf(problemSchema) },
    },
  };
}

const PROBLEM = { content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } } };

function operation(route: Route): unknown {
  const responses: Record<string, unknown> = {};
  for (const [status, answer] of Object.entries(route.answers)) {
    const isProblem = Number(status) >= 400;
    const type = answer.type ?? "application/json";
    const content = answer.schema
      ? { content: { [type]: { schema: jsonSchemaOf(answer.schema) } } }
      : answer.type
        ? { content: { [type]: {} } }
        : {};
    responses[status] = { description: answer.what, ...(isProblem ? PROBLEM : content) };
  }
  for (const [status, description] of Object.entries(refusals(route)))
    responses[status] ??= { description, ...PROBLEM };
  const named = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }));
  const asked = Object.entries(route.query ?? {}).map(([name, { type, what }]) => ({
    name,
    in: "query",
    description: what,
    schema: type === "integer" ? { type, minimum: 0 } : { type },
  }));
  const parameters = [...named, ...asked];
  return {
    summary: route.summary,
    operationId: `${route.method.toLowerCase()}${route.path.replaceAll(/[^A-Za-z0-9]+/g, "_")}`,
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(route.auth === "none" ? {} : { security: security(route.auth) }),
    ...(route.body
      ? {
          requestBody: {
            required: route.auth === "vantage" || route.auth === "ack",
            content: { "application/json": { schema: jsonSchemaOf(route.body) } },
          },
        }
      : {}),
    responses,
  };
}

function security(auth: Exclude<Route["auth"], "none">): unknown[] {
  if (auth === "vantage") return [{ signature: [] }];
  return auth === "read" ? [{}, { token: ["read"] }] : [{ token: [auth] }, { signature: [] }];
}

function refusals(route: Route): Record<number, string> {
  const common = {
    400: "No Host, or more than one",
    403: "A foreign origin, or a scope that is missing",
    421: "A Host that is not ours",
    429: "Too many requests",
  };
  const guarded = route.auth === "none" ? {} : { 401: "Missing or wrong credentials" };
  const body = route.body
    ? {
        413: "More than 256 KiB",
        415: "Not JSON",
        422: "Not as described; `errors` has the paths",
        503: "Not durable, so not taken",
      }
    : {};
  const named = route.path.includes("{") ? { 404: "Unknown" } : {};
  return { ...common, ...guarded, ...body, ...named };
}
