import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { runHairpin } from "../support/command.ts";

const root = new URL("../../", import.meta.url).pathname;

test("hairpin uninstall takes the installed program away that runs it, keeps keys and data, and takes the script's flags", async () => {
  const image = mkdtempSync(join(tmpdir(), "hairpin-uninstall-"));
  try {
    const prefix = join(image, "opt/hairpin");
    for (const part of ["src", "deploy", "package.json"])
      cpSync(`${root}${part}`, join(prefix, part), { recursive: true });
    mkdirSync(join(image, "etc/hairpin"), { recursive: true });
    writeFileSync(join(image, "etc/hairpin/hairpin.yaml"), "site: home\n");
    const main = join(prefix, "src/cli/main.ts");
    const looked = await runHairpin(["uninstall", "--root", image, "--dry-run"], { main });
    assert.deepEqual([looked.code, existsSync(prefix)], [0, true], looked.err);
    assert.match(looked.out, /would run: rm -rf -- .*opt\/hairpin/);
    const run = await runHairpin(["uninstall", "--root", image], { main });
    assert.deepEqual([run.code, existsSync(prefix)], [0, false], run.err);
    assert.match(run.out, /--purge removes them too/);
    assert.ok(existsSync(join(image, "etc/hairpin/hairpin.yaml")));
    assert.equal((await runHairpin(["uninstall", "--bogus"])).code, 2);
  } finally {
    rmSync(image, { recursive: true, force: true });
  }
});
