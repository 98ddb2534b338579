import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { after, test } from "node:test";
import { hairpin, writeHouse } from "./house-on-loopback.ts";

const house = await writeHouse();
after(house.remove);

const YAML = `site: home
vantages:
  lan: { where: lan, key_file: keys/lan }
heal: { mode: observe }
`;

for (const [what, text, line, nearest] of [
  ["an unknown key", `${YAML}vantage: {}\n`, 5, /vantages/],
  ["a mistyped key", YAML.replace("mode: observe", "quorun: 2"), 4, /quorum/],
  ["threshold, mistyped or not, is no key here", YAML.replace("mode: observe", "treshold: 2"), 4, /treshold/],
  [
    "a vantage that is declared twice",
    YAML.replace("heal:", "  lan: { where: vm, key_file: keys/vm }\nheal:"),
    4,
    /lan/,
  ],
] as const) {
  test(`fault 38: ${what} exits 2 with its line, whichever command reads it`, () => {
    writeFileSync(house.file, text, { mode: 0o600 });
    for (const command of [["config", "check"], ["hub"], ["host"]]) {
      const run = hairpin([...command, "--config", house.file]);
      assert.equal(run.status, 2, `${command}: ${run.stderr}`);
      const said = `${run.stdout}${run.stderr}`;
      assert.match(said, new RegExp(`:${line}\\b`), command.join(" "));
      assert.match(said, nearest);
    }
  });
}
