#!/usr/bin/env node
/**
 * Makes the checkout ready: installs what package-lock.json names, Node 24 included, when the lock has changed since.
 *
 * Plain JavaScript for Node 18 and later, since it runs before the project's own Node is there. A preinstall hook would not do:
 * npm does not run it for `npm test` in a fresh clone.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const stamp = `${root}node_modules/.hairpin-lock`;
const nodeMinimum = [24, 11];

/** The path of a Node that is new enough: the project's own, else the one that runs this. Installs first when needed. */
export function bootstrap() {
  const wanted = createHash("sha256")
    .update(readFileSync(`${root}package-lock.json`))
    .digest("hex");
  if (!isInstalled(wanted)) installOnce(wanted);
  const own = `${root}node_modules/.bin/node`;
  if (existsSync(own)) return own;
  if (isNewEnough(process.versions.node)) return process.execPath;
  throw new Error(
    `Node ${nodeMinimum.join(".")} or later is needed, this is ${process.versions.node}, and npm has no node-linux package for ` +
      `${process.platform}-${process.arch}. Install Node 24 and run the command again.`,
  );
}

/** Our own stamp says so; or npm's own record does, after an `npm ci` by hand, and then it is stamped. */
function isInstalled(wanted) {
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return true;
  if (!isRecorded()) return false;
  try {
    writeFileSync(stamp, wanted);
  } catch {
    /* a checkout that somebody else owns: it is compared again next time */
  }
  return true;
}

/**
 * Whether what npm wrote down after its last install (node_modules/.package-lock.json) is what the lock wants: every package that is
 * not optional, in its version and with its digest, and nothing in another one. Of the optional ones, which are those of other
 * platforms too, only the project's own Node has to be there.
 */
function isRecorded() {
  const wanted = packagesOf(`${root}package-lock.json`);
  const there = packagesOf(`${root}node_modules/.package-lock.json`);
  if (wanted === null || there === null) return false;
  const ownNode = `node_modules/node-${process.platform}-${process.arch}`;
  for (const [path, { version, integrity, optional }] of Object.entries(wanted)) {
    if (path === "") continue;
    const found = there[path];
    if (
      found === undefined ? !optional || path === ownNode : found.version !== version || found.integrity !== integrity
    )
      return false;
  }
  return Object.keys(there).every((path) => path in wanted);
}

function packagesOf(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8")).packages ?? null;
  } catch {
    return null;
  }
}

/** Two commands started at once must not both rewrite node_modules: the second one waits for the first, at most 5 minutes. */
function installOnce(wanted) {
  const lock = `${root}.install-lock`;
  for (let waited = 0; ; waited += 250) {
    try {
      mkdirSync(lock);
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
      const stale = existsSync(lock) && Date.now() - statSync(lock).mtimeMs > 300_000;
      if (stale || waited > 300_000) {
        try {
          rmdirSync(lock);
        } catch {
          /* another command removed it first */
        }
      } else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 250);
      if (isInstalled(wanted)) return;
    }
  }
  try {
    if (!isInstalled(wanted)) install(wanted);
  } finally {
    try {
      rmdirSync(lock);
    } catch {
      /* already gone */
    }
  }
}

function install(wanted) {
  process.stderr.write("hairpin: installing what package-lock.json names (once) …\n");
  const args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  const run = spawnSync("npm", args, { cwd: root, stdio: ["ignore", 2, 2] });
  if (run.error) throw new Error(`npm could not be started: ${run.error.message}`);
  if (run.status !== 0) throw new Error(`npm ${args.join(" ")} failed with exit code ${run.status}`);
  writeFileSync(stamp, wanted);
}

function isNewEnough(version) {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > nodeMinimum[0] || (major === nodeMinimum[0] && minor >= nodeMinimum[1]);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    bootstrap();
  } catch (error) {
    process.stderr.write(`hairpin: ${error.message}\n`);
    process.exit(1);
  }
}
