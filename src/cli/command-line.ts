import { existsSync } from "node:fs";
import { Command } from "commander";

/**
 * A command's parser. Wrong usage is thrown, not exited on, so that main.ts gives it the exit code 2 of the contract (commander's
 * own is 1); its message is already on stderr by then.
 */
export function commandLine(name: string, about: string): Command {
  return new Command(`hairpin ${name}`)
    .description(about)
    .exitOverride()
    .helpOption("-h, --help", "show this help")
    .helpCommand(false)
    .showHelpAfterError(`(hairpin ${name} --help says what is known)`);
}

const INSTALLED = "/etc/hairpin/hairpin.yaml";

/** Where a command looks without --config: beside the person, else where deploy/host/install.sh puts it. */
export function defaultConfig(): string {
  return !existsSync("hairpin.yaml") && existsSync(INSTALLED) ? INSTALLED : "hairpin.yaml";
}
