import type { Command } from "commander";
import { commandLine, defaultConfig } from "./command-line.ts";
import { type PlaceFlags, withPlace } from "./edge-place.ts";

const many = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

/** `hairpin edge …`: the verifier outside of the house. Each subcommand's code is loaded when it is asked for. */
export async function run(argv: readonly string[]): Promise<number> {
  let code = 0;
  const program = commandLine("edge", "the verifier outside: deploy it, add this site, ask it for a repair");
  const done = (work: () => Promise<number>) => async () => {
    const { tellEdge } = await import("./edge-client.ts");
    code = await tellEdge(work);
  };
  setup(program, done);
  sites(program, done);
  people(program, done);
  program.addHelpText(
    "after",
    "\nThe order: init, deploy, add-site, restart the hub, doctor. docs/edge.md has the whole story.",
  );
  await program.parseAsync([...argv], { from: "user" });
  return code;
}

type Done = (work: () => Promise<number>) => () => Promise<void>;

function setup(program: Command, done: Done): void {
  const local = (name: string, about: string) =>
    program
      .command(name)
      .description(about)
      .option("--config <file>", "the configuration", defaultConfig())
      .option("--json", "print one JSON document");
  const init = local("init", "write the block `edge` and its keys; says what it costs; never overwrites").option(
    "--heal-key <name>",
    "also a key with which this person may ask for a repair from outside; may be given several times",
    many,
  );
  init.action(done(async () => (await import("./edge-setup.ts")).init(init.opts())));
  const deploy = local("deploy", "deploy the Worker with wrangler and set its tokens; says before what it costs")
    .option("--env <name>", "the environment of wrangler.toml", "house")
    .option("--wrangler <file>", "another wrangler than the checkout's")
    .option("-y, --yes", "do not ask");
  deploy.action(done(async () => (await import("./edge-setup.ts")).deploy(deploy.opts())));
}

function sites(program: Command, done: Done): void {
  const at = (name: string, about: string) =>
    withPlace(program.command(name).description(about)).option(
      "--token-file <file>",
      "a file with a token of the edge",
    );
  const load = () => import("./edge-sites.ts");
  const add = keyed(at("add-site", "give the edge this site's key and whom to tell; repeat it after a change"));
  add.argument("[site]", "the site, instead of the configuration's");
  add.option(
    "--site-token <file>",
    "a file with a token that may read this site alone; may be given several times",
    many,
  );
  add.action((site?: string) => done(async () => (await load()).addSite(named(add.opts(), site)))());
  const rotate = keyed(at("rotate", "a new key of the site beside the old, at both ends")).option(
    "--retire",
    "drop every key but the newest",
  );
  rotate.action(done(async () => (await load()).rotate(rotate.opts())));
  const remove = at("remove-site", "the edge forgets the site, with every row").option("-y, --yes", "do not ask");
  remove.argument("[site]", "the site, instead of the configuration's");
  remove.action((site?: string) => done(async () => (await load()).removeSite(named(remove.opts(), site)))());
  const test = at("test", "the edge sends a test to everybody whom it would tell");
  test.action(done(async () => (await load()).test(test.opts())));
  const status = at("status", "what the edge knows of this site")
    .option("--fleet", "of all sites, worst first")
    .option("--search <words>", "only sites in whose line these words stand");
  status.action(done(async () => (await load()).status(status.opts())));
  const doctor = keyed(at("doctor", "key, clock, pace, and what the edge has heard; changes nothing"));
  doctor.action(done(async () => (await import("./edge-doctor.ts")).doctor(doctor.opts())));
}

const keyed = (command: Command): Command =>
  command.option("--key-file <file>", "the site's key, instead of edge.key_file");

function named(flags: PlaceFlags, site: string | undefined): PlaceFlags {
  return site === undefined ? flags : { ...flags, site };
}

function people(program: Command, done: Done): void {
  const heal = withPlace(
    program
      .command("heal")
      .description("sign a request to repair, leave it at the edge, and wait for what the house says"),
  )
    .option("--token-file <file>", "a file with a token of the edge")
    .option("--key-file <file>", "your own key, which stands in the house's edge.heal_keys")
    .option(
      "--step <step>",
      "ensure-link, announce, restart-speaker or recreate-link; without one, the founding repair",
    )
    .option("--reason <text>", "kept with the repair")
    .option("--override", "pass maintenance and an open breaker")
    .option("--force", "also when nothing seems to need it")
    .option("--no-wait", "do not wait for the outcome")
    .addHelpText(
      "after",
      "\nExit codes: 0 proved, or nothing to do; 1 refused, or it did not help; 2 usage; 3 nobody fetched it within 60 s, or no answer.",
    );
  heal.action(done(async () => (await import("./edge-heal.ts")).heal(heal.opts())));
}
