/** CLOCK_MONOTONIC in milliseconds: comparable between the processes of one machine, untouched by leaps of the wall clock. */
export function monoMillis(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
