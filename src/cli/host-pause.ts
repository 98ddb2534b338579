import { HubError } from "./hub-client.ts";

/**
 * Runs a command at the hub, or on this host: when that is asked for, or when the hub cannot be reached and this machine has the
 * run directory of a host process. A pause must be possible just when nothing else works.
 */
export async function onThisHost(
  only: boolean,
  atHub: () => Promise<number>,
  here: (directory: string) => Promise<void>,
): Promise<number> {
  let absent: string | null = null;
  if (!only) {
    try {
      return await atHub();
    } catch (error) {
      if (!(error instanceof HubError)) throw error;
      absent = error.message;
      process.stderr.write(`hairpin: ${error.message}\n`);
    }
  }
  const [{ runDirectory }, { hasRunDirectory }] = await Promise.all([
    import("../runtime/node/run-directory.ts"),
    import("../runtime/node/pause-file.ts"),
  ]);
  const directory = runDirectory();
  if (!hasRunDirectory(directory)) {
    if (only) process.stderr.write(`hairpin: no host process has its run directory here: ${directory} is missing\n`);
    return absent === null ? 1 : 3;
  }
  try {
    await here(directory);
    return 0;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    process.stderr.write(`hairpin: ${directory}/pause: ${code ?? message}\n`);
    return 1;
  }
}
