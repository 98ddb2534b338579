import { execFile } from "node:child_process";
import { accessSync, constants } from "node:fs";

/** Where distributions put system programs. Never the PATH: what is run must not depend on who started us. */
const DIRECTORIES = ["/usr/sbin", "/sbin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/local/bin"];
const TIMEOUT_MS = 10_000;
const OUTPUT_MAX = 262_144;

/** The absolute path of a program; null when it is not installed. */
export function findProgram(name: string): string | null {
  for (const directory of DIRECTORIES) {
    try {
      accessSync(`${directory}/${name}`, constants.X_OK);
      return `${directory}/${name}`;
    } catch {}
  }
  return null;
}

export interface CommandResult {
  /** Null when it was killed or could not be started. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program with fixed arguments and an empty environment; killed after 10 s or 256 KiB of output. Never rejects. */
export function runCommand(path: string, argv: readonly string[], signal?: AbortSignal): Promise<CommandResult> {
  return new Promise((resolve) => {
    execFile(
      path,
      [...argv],
      {
        env: {},
        cwd: "/",
        timeout: TIMEOUT_MS,
        killSignal: "SIGKILL",
        maxBuffer: OUTPUT_MAX,
        ...(signal === undefined ? {} : { signal }),
      },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : null;
        resolve({ code, stdout, stderr });
      },
    );
  });
}
