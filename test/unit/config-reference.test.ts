import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { DESCRIPTIONS, describedAs } from "../../src/core/config/descriptions.ts";
import { describedSchema, referenceKeys, referenceMarkdown } from "../../src/runtime/node/config-reference.ts";

const root = new URL("../../", import.meta.url).pathname;

test("every key of the schema is described, and nothing is described that is no key", () => {
  const paths = referenceKeys().map(({ path }) => path);
  assert.ok(paths.length > 100);
  const silent = paths.filter((path) => describedAs(path) === null);
  assert.deepEqual(silent, [], "add them to src/core/config/descriptions.ts");
  assert.deepEqual(
    Object.keys(DESCRIPTIONS).filter((path) => !paths.includes(path)),
    [],
  );
  for (const [path, text] of Object.entries(DESCRIPTIONS)) assert.match(text, /^\S.*[.]$/, `${path}: a sentence`);
});

test("docs/configuration.md is what hairpin config schema --markdown prints", () => {
  assert.equal(readFileSync(`${root}docs/configuration.md`, "utf8"), referenceMarkdown());
});

test("an editor finds a description at every key, also inside of alternatives and of plurals", () => {
  interface Place {
    readonly description?: string;
    readonly properties?: Readonly<Record<string, Place>>;
    readonly additionalProperties?: Place | false;
    readonly items?: Place;
    readonly anyOf?: readonly Place[];
  }
  const bare: string[] = [];
  let seen = 0;
  const look = (place: Place, path: string): void => {
    for (const [key, inner] of Object.entries(place.properties ?? {})) {
      seen++;
      if (inner.description === undefined) bare.push(`${path}.${key}`);
      look(inner, `${path}.${key}`);
    }
    for (const inner of [...(place.anyOf ?? []), place.items, place.additionalProperties]) if (inner) look(inner, path);
  };
  look(describedSchema() as Place, "");
  assert.deepEqual(bare, []);
  assert.ok(seen > 150, String(seen));
});
