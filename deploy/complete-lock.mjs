#!/usr/bin/env node
/**
 * Completes package-lock.json with the optional platform packages that a registry mirror did not serve.
 *
 * `npm install` leaves an optional dependency out of the lock when it cannot fetch it, and `npm ci` then refuses the lock
 * everywhere ("Missing: … from lock file"). An entry without integrity is enough: npm skips it on other platforms.
 * `--check` changes nothing and exits 1 when entries are missing.
 */
import { readFileSync, writeFileSync } from "node:fs";

const file = new URL("../package-lock.json", import.meta.url);
const lock = JSON.parse(readFileSync(file, "utf8"));

/** Entries that some package names as optional and that the lock lacks, by their path in the tree. */
export function missingEntries(packages) {
  const missing = new Map();
  for (const [path, entry] of Object.entries(packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      const nested = `${path}/node_modules/${name}`.replace(/^\//, "");
      if (packages[nested] || packages[`node_modules/${name}`]) continue;
      missing.set(`node_modules/${name}`, { version, optional: true, ...platform(name) });
    }
  }
  return missing;
}

/** Reads os, cpu and libc from the platform package's name, which is how all of them are named. */
function platform(name) {
  const words = name.split("/").at(-1).split("-");
  const os = {
    darwin: "darwin",
    windows: "win32",
    win32: "win32",
    linux: "linux",
    freebsd: "freebsd",
    android: "android",
  };
  const cpu = { x64: "x64", 64: "x64", arm64: "arm64", arm: "arm", ia32: "ia32" };
  const found = (table) =>
    words
      .map((word) => table[word])
      .filter(Boolean)
      .slice(-1);
  const libc = words.includes("musl") ? { libc: ["musl"] } : {};
  return { os: found(os), cpu: found(cpu), ...libc };
}

const missing = missingEntries(lock.packages);
if (process.argv.includes("--check")) {
  for (const path of missing.keys()) console.error(`package-lock.json lacks ${path}: run npm run lock`);
  process.exitCode = missing.size > 0 ? 1 : 0;
} else if (missing.size > 0) {
  for (const [path, entry] of missing) lock.packages[path] = entry;
  lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
  writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
  console.log(`added ${missing.size} optional packages to package-lock.json`);
}
