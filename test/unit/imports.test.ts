import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { test } from "node:test";

const root = new URL("../../", import.meta.url).pathname;

interface Rule {
  readonly folders: readonly string[];
  readonly packages: readonly string[];
  /** Which platform it may name: none, Node's or Cloudflare's. */
  readonly platform: "none" | "node" | "cloudflare";
}

const ALL_NEUTRAL = ["core", "probes", "hooks", "deliver", "host", "engine"];

/** The import rule of docs/architecture.md: what each folder of src may import besides itself. */
const RULES: Readonly<Record<string, Rule>> = {
  core: { folders: [], packages: ["zod"], platform: "none" },
  probes: { folders: ["core"], packages: ["dns-packet"], platform: "none" },
  hooks: { folders: ["core"], packages: ["hono"], platform: "none" },
  deliver: { folders: ["core"], packages: [], platform: "none" },
  host: { folders: ["core"], packages: [], platform: "none" },
  engine: { folders: ["core", "probes", "deliver"], packages: [], platform: "none" },
  "runtime/worker": { folders: ALL_NEUTRAL, packages: ["hono"], platform: "cloudflare" },
  "runtime/node": {
    folders: ALL_NEUTRAL,
    packages: ["hono", "zod", "yaml", "undici", "pino", "node-cron", "dns-packet", "mqtt", "@hono/node-server"],
    platform: "node",
  },
  lab: {
    folders: [...ALL_NEUTRAL, "runtime/node"],
    packages: ["hono", "zod", "yaml", "undici", "pino", "dns-packet", "@hono/node-server"],
    platform: "node",
  },
  cli: {
    folders: [...ALL_NEUTRAL, "runtime/node", "lab"],
    packages: ["commander", "yaml", "zod", "undici", "hono"],
    platform: "node",
  },
};

interface Import {
  readonly specifier: string;
  readonly typeOnly: boolean;
}

/** Static, re-exporting and dynamic imports of a file. Comments are taken out first; what a dynamic import computes is not known. */
function importsOf(text: string): readonly Import[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
  const found: Import[] = [];
  for (const match of code.matchAll(
    /^\s*(?:import|export)\s+(type\s+)?(?:[\w*{}\s,$]+?\sfrom\s+)?["']([^"']+)["']/gm,
  )) {
    found.push({ specifier: match[2]!, typeOnly: match[1] !== undefined });
  }
  for (const match of code.matchAll(/(typeof\s+)?\bimport\(\s*["'`]([^"'`]+)["'`]/g)) {
    found.push({ specifier: match[2]!, typeOnly: match[1] !== undefined });
  }
  return found;
}

function folderOf(path: string): string {
  const [first, second] = path.split("/");
  return first === "runtime" ? `${first}/${second}` : first!;
}

function packageOf(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

function sources(src: string): readonly string[] {
  return readdirSync(src, { recursive: true, encoding: "utf8" })
    .filter((path) => /\.(ts|mjs)$/.test(path) && !path.endsWith(".d.ts"))
    .map((path) => path.replaceAll("\\", "/"))
    .sort();
}

/** Everything that breaks the rule, as "file imports what". */
function violations(src: string): readonly string[] {
  const broken: string[] = [];
  for (const path of sources(src)) {
    const folder = folderOf(path);
    const rule = RULES[folder];
    if (rule === undefined) {
      broken.push(`${path} stands in a folder that has no rule`);
      continue;
    }
    for (const { specifier, typeOnly } of importsOf(readFileSync(join(src, path), "utf8"))) {
      if (!allowed(src, path, folder, rule, specifier, typeOnly)) broken.push(`${path} imports ${specifier}`);
    }
  }
  return broken;
}

function allowed(src: string, path: string, folder: string, rule: Rule, specifier: string, typeOnly: boolean): boolean {
  if (specifier.startsWith("node:")) return rule.platform === "node";
  if (specifier.startsWith("cloudflare:")) return rule.platform === "cloudflare";
  if (!specifier.startsWith(".")) return typeOnly || rule.packages.includes(packageOf(specifier));
  const target = relative(src, resolve(src, dirname(path), specifier)).replaceAll("\\", "/");
  if (target === "../package.json" || target.startsWith("../deploy/")) return rule.platform !== "none";
  if (target.startsWith("types/")) return true;
  const into = folderOf(target);
  if (into === folder || rule.folders.includes(into)) return true;
  return typeOnly && ALL_NEUTRAL.includes(into); // A type is gone before it runs; only a platform's would leak into neutral code.
}

test("every import in src follows the import rule", () => {
  assert.deepEqual(violations(`${root}src`), []);
});

test("a violation that is planted is found and named, of every kind", () => {
  const copy = mkdtempSync(join(tmpdir(), "hairpin-imports-"));
  try {
    cpSync(`${root}src`, copy, { recursive: true });
    const planted: Readonly<Record<string, string>> = {
      "core/planted-a.ts": 'import { readFileSync } from "node:fs";\nexport const a = readFileSync;\n',
      "core/planted-b.ts": 'import type { Socket } from "node:net";\nexport type B = Socket;\n',
      "probes/planted-c.ts": 'export const c = () => import("../deliver/webhook.ts");\n',
      "hooks/planted-d.ts": 'export { Agent } from "undici";\n',
      "engine/planted-e.ts": 'import {\n  connect,\n} from "cloudflare:sockets";\nexport const e = connect;\n',
      "host/planted-f.ts": 'import "../runtime/node/clock.ts";\n',
      "runtime/worker/planted-g.ts": 'import { monoMillis } from "../node/clock.ts";\nexport const g = monoMillis;\n',
      "odd/planted-h.ts": "export const h = 1;\n",
    };
    cpSync(`${root}src/types`, join(copy, "odd"), { recursive: true });
    for (const [path, text] of Object.entries(planted)) writeFileSync(join(copy, path), text);
    const found = violations(copy).filter((line) => line.includes("planted-"));
    assert.deepEqual(found, [
      "core/planted-a.ts imports node:fs",
      "core/planted-b.ts imports node:net",
      "engine/planted-e.ts imports cloudflare:sockets",
      "hooks/planted-d.ts imports undici",
      "host/planted-f.ts imports ../runtime/node/clock.ts",
      "odd/planted-h.ts stands in a folder that has no rule",
      "probes/planted-c.ts imports ../deliver/webhook.ts",
      "runtime/worker/planted-g.ts imports ../node/clock.ts",
    ]);
  } finally {
    rmSync(copy, { recursive: true });
  }
});

test("no file of src or test is longer than 400 lines", () => {
  const long = ["src", "test"].flatMap((folder) =>
    sources(`${root}${folder}`)
      .map((path) => ({
        path: `${folder}/${path}`,
        lines: readFileSync(`${root}${folder}/${path}`, "utf8").split("\n").length - 1,
      }))
      .filter(({ lines }) => lines > 400),
  );
  assert.deepEqual(long, []);
});
