import { writeSync } from "node:fs";
import pino from "pino";
import { monoMillis } from "./clock.ts";
import { readableLine } from "./log-lines.ts";

export type Log = pino.Logger;

/**
 * JSON lines on stdout, written synchronously: the last line before a crash is the one that is wanted. `mono_ms` lets a reader
 * put the lines of several processes of one machine in order. Keys that carry secrets are redacted, should one ever be logged.
 * A person at a terminal gets readable lines instead, unless `json` asks for the others.
 */
export function createLog(name: string, json = false): Log {
  const isForPerson = !json && process.stdout.isTTY === true;
  return pino(
    {
      name,
      level: process.env["HAIRPIN_LOG"] ?? "info",
      base: { name },
      mixin: () => ({ mono_ms: Math.round(monoMillis() * 1_000) / 1_000 }),
      redact: {
        paths: [
          "authorization",
          "token",
          "secret",
          "password",
          "key",
          "*.authorization",
          "*.token",
          "*.secret",
          "*.password",
          "*.key",
        ],
        censor: "[redacted]",
      },
    },
    isForPerson ? { write: writeReadable } : pino.destination({ dest: 1, sync: true }),
  );
}

/** A terminal that is closed or does not keep up is no reason to end: the process works, and nobody is looking. */
function writeReadable(line: string): void {
  try {
    writeSync(1, readableLine(line));
  } catch (error) {
    if (!["EAGAIN", "EIO", "EPIPE"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  }
}
