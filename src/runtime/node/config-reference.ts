import { DESCRIPTIONS, describedAs } from "../../core/config/descriptions.ts";
import { DURATION_KEYS, jsonSchema } from "./config-findings.ts";

type Node = { readonly [key: string]: unknown };

const asNode = (value: unknown): Node | null => (typeof value === "object" && value !== null ? (value as Node) : null);
const below = (path: string, key: string): string => (path === "" ? key : `${path}.${key}`);

/** The JSON Schema with the description of every key, for editors. */
export function describedSchema(): Node {
  return described(jsonSchema(), "");
}

function described(node: Node, path: string): Node {
  const made: Record<string, unknown> = { ...node };
  const properties = asNode(node["properties"]);
  if (properties !== null) {
    made["properties"] = Object.fromEntries(
      Object.entries(properties).map(([key, value]) => {
        const place = below(path, key);
        const about = describedAs(place);
        const inner = described(value as Node, place);
        return [key, about === null ? inner : { description: DESCRIPTIONS[about], ...inner }];
      }),
    );
  }
  for (const [key, suffix] of [
    ["additionalProperties", ".*"],
    ["items", "[]"],
  ] as const) {
    const inner = asNode(node[key]);
    if (inner !== null) made[key] = described(inner, `${path}${suffix}`);
  }
  if (Array.isArray(node["anyOf"])) made["anyOf"] = node["anyOf"].map((each) => described(each as Node, path));
  return made;
}

/** One key of the configuration, as the reference shows it. */
export interface ReferenceKey {
  readonly path: string;
  readonly schema: Node;
  readonly isRequired: boolean;
}

/** Every key that can be written, in the schema's order, each once. */
export function referenceKeys(): readonly ReferenceKey[] {
  const found = new Map<string, ReferenceKey>();
  const walk = (node: Node, path: string, isChoice = false): void => {
    for (const each of Array.isArray(node["anyOf"]) ? node["anyOf"] : []) walk(each as Node, path, true);
    // The one key of an alternative chooses it.
    const required = isChoice ? [] : Array.isArray(node["required"]) ? (node["required"] as readonly string[]) : [];
    for (const [key, value] of Object.entries(asNode(node["properties"]) ?? {})) {
      const place = below(path, key);
      if (!found.has(place))
        found.set(place, { path: place, schema: value as Node, isRequired: required.includes(key) });
      walk(value as Node, place);
    }
    const [named, listed] = [asNode(node["additionalProperties"]), asNode(node["items"])];
    if (named !== null) walk(named, `${path}.*`);
    if (listed !== null) walk(listed, `${path}[]`);
  };
  walk(jsonSchema(), "");
  return [...found.values()];
}

const HEAD = `# hairpin.yaml, key by key

Made by \`hairpin config schema --markdown\`; a test holds it equal. [hairpin.yaml](../hairpin.yaml) is the whole example, with
\`hairpin.schema.json\` editors complete and check, and \`hairpin config check\` finds mistakes by line.

\`NAME\` is a name of your choice, \`[]\` each entry of a list. Durations carry a unit: \`30s\`, \`2m\`, \`1h\`. Unknown keys are errors.
Paths are relative to the file's directory. \`\${NAME}\` in a value comes from the environment and is never printed. Files of
secrets are refused when others can read them; a secret file may hold several lines, the newest first.
`;

/** The key reference as Markdown. What `link`, `speaker` and `host` say of themselves is not repeated for their plurals. */
export function referenceMarkdown(): string {
  const sections = new Map<string, string[]>();
  for (const key of referenceKeys()) {
    if (/^(links|speakers|hosts)\.\*/.test(key.path)) continue;
    const about = describedAs(key.path);
    if (about !== key.path && key.path.startsWith("edge.checks[]")) continue;
    const top = key.path.split(/[.[]/)[0]!;
    sections.set(top, [...(sections.get(top) ?? []), entry(key, about === null ? "" : DESCRIPTIONS[about]!)]);
  }
  const chapters = [...sections].map(([top, entries]) => `## ${top}\n\n${entries.join("\n")}\n`);
  return [HEAD, ...chapters].join("\n");
}

function entry({ path, schema, isRequired }: ReferenceKey, about: string): string {
  const fallback = schema["default"];
  const isEmpty = fallback !== null && typeof fallback === "object" && Object.keys(fallback).length === 0;
  const facts = [
    typeOf(path, schema),
    isRequired ? "required" : null,
    fallback === undefined || isEmpty
      ? null
      : `default \`${typeof fallback === "string" ? fallback : JSON.stringify(fallback)}\``,
  ].filter((fact) => fact !== null && fact !== "");
  return `- **\`${path.replaceAll(".*", ".NAME")}\`** (${facts.join(", ")}): ${about}`;
}

const TYPES: Readonly<Record<string, string>> = {
  object: "map",
  array: "list",
  string: "text",
  integer: "whole number",
  number: "number",
  boolean: "true or false",
  null: "null",
};

function typeOf(path: string, schema: Node): string {
  if (Array.isArray(schema["enum"])) return schema["enum"].map((value) => `\`${value}\``).join(" or ");
  if (schema["const"] !== undefined) return `\`${schema["const"]}\``;
  if (Array.isArray(schema["anyOf"]))
    return [...new Set(schema["anyOf"].map((each) => typeOf(path, each as Node)))].join(" or ");
  if (DURATION_KEYS.has(path.split(".").at(-1) ?? "")) return "duration";
  const { minimum, maximum } = schema as { minimum?: number; maximum?: number };
  const range =
    schema["type"] === "integer" && minimum !== undefined && maximum !== undefined ? ` ${minimum} to ${maximum}` : "";
  return `${TYPES[String(schema["type"])] ?? "any"}${range}`;
}
