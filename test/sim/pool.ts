import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { Outcome } from "./job.ts";
import type { RunOptions } from "./run.ts";

const WORKERS_MAX = 2;

/** Plays many seeds on at most two cores; each outcome is told as it comes, in any order. `told` ends the series by returning false. */
export async function playAll(jobs: readonly RunOptions[], told: (outcome: Outcome) => boolean): Promise<void> {
  let next = 0;
  let goesOn = true;
  const workers = Array.from(
    { length: Math.min(WORKERS_MAX, availableParallelism(), jobs.length) },
    () => new Worker(new URL("./worker.ts", import.meta.url)),
  );
  const drive = (worker: Worker) =>
    new Promise<void>((resolve, reject) => {
      const give = () => {
        if (goesOn && next < jobs.length) worker.postMessage(jobs[next++]);
        else resolve();
      };
      worker.on("message", (outcome: Outcome) => {
        if (!told(outcome)) goesOn = false;
        give();
      });
      worker.once("error", reject);
      give();
    });
  try {
    await Promise.all(workers.map(drive));
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}
