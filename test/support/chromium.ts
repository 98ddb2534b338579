import { existsSync } from "node:fs";

const PATHS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** Where a real browser is; undefined: nowhere. */
export const chromiumPath = (): string | undefined => PATHS.find((path) => existsSync(path));
