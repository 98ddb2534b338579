import { schedule, setLogger, validate } from "node-cron";
import type { Timetable, VantageLog } from "../../engine/vantage-port.ts";

/**
 * node-cron in UTC, so that no change to summer time skips or doubles a round. `noOverlap` has nothing to do here, since a tick
 * only rings and the loop runs one round at a time, each with a deadline; it stands for the day somebody changes that.
 */
export function createTimetable(log: VantageLog): Timetable {
  // It would print coloured lines of its own otherwise.
  setLogger({
    info: (message) => log("debug", {}, message),
    warn: (message) => log("warn", {}, message),
    error: (message) => log("error", {}, String(message)),
    debug: () => {},
  });
  return {
    start(expression, onTick) {
      if (!validate(expression)) return null;
      const task = schedule(expression, () => onTick(), {
        timezone: "UTC",
        noOverlap: true,
        suppressMissedWarning: true,
      });
      return () => void task.destroy();
    },
  };
}
