import { parentPort } from "node:worker_threads";
import { play } from "./job.ts";
import type { RunOptions } from "./run.ts";

/** Plays the seeds that it is given, one after the other. */
parentPort!.on(
  "message",
  (options: RunOptions) => void play(options).then((outcome) => parentPort!.postMessage(outcome)),
);
