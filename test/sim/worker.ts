import { parentPort } from "node:worker_threads";
import { play } from "./job.ts";
import type { RunOptions } from "./run.ts";

// Aborted signals make an exception each, whose stack nobody reads; a failure is run again with stacks.
Error.stackTraceLimit = 0;

/** Plays the seeds that it is given, one after the other. */
parentPort!.on(
  "message",
  (options: RunOptions) => void play(options).then((outcome) => parentPort!.postMessage(outcome)),
);
