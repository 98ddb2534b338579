import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";

/** What the kernel lab calls, and the Debian package of each. */
const TOOLS: Readonly<Record<string, string>> = {
  ip: "iproute2",
  bridge: "iproute2",
  nft: "nftables",
  unshare: "util-linux",
  nsenter: "util-linux",
  setpriv: "util-linux",
  socat: "socat",
  arping: "arping",
};

/** Debian keeps ip and nft where an ordinary user's PATH does not lead. */
export function widenPath(): void {
  const parts = (process.env["PATH"] ?? "").split(":");
  const more = ["/usr/sbin", "/sbin", "/usr/local/sbin"].filter((directory) => !parts.includes(directory));
  process.env["PATH"] = [...parts, ...more].join(":");
}

export function isInstalled(tool: string): boolean {
  return (process.env["PATH"] ?? "").split(":").some((directory) => {
    try {
      accessSync(`${directory}/${tool}`, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

export function missingPackages(): readonly string[] {
  const missing = Object.entries(TOOLS).filter(([tool]) => !isInstalled(tool));
  return [...new Set(missing.map(([, name]) => name))];
}

/**
 * Whether everything is there; on a machine where this process may install packages it installs what is missing, and says so first.
 * HAIRPIN_NO_INSTALL=1 turns that off.
 */
export function provideTools(say: (text: string) => void): boolean {
  widenPath();
  const missing = missingPackages();
  if (missing.length === 0) return true;
  const command = `apt-get install ${missing.join(" ")}`;
  const mayInstall = process.getuid?.() === 0 && isInstalled("apt-get") && !process.env["HAIRPIN_NO_INSTALL"];
  if (mayInstall) {
    say(`installing what the lab needs: ${command} (HAIRPIN_NO_INSTALL=1 turns this off)`);
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    const apt = (...args: readonly string[]) =>
      spawnSync("apt-get", ["-q", "-y", ...args], { stdio: ["ignore", 2, 2], env }).status === 0;
    if (!apt("install", "--no-install-recommends", ...missing)) {
      apt("update");
      apt("install", "--no-install-recommends", ...missing);
    }
    if (missingPackages().length === 0) return true;
  }
  const tools = Object.keys(TOOLS).filter((tool) => !isInstalled(tool));
  say(
    `the lab needs ${tools.join(", ")}, not found here. Install: ${process.getuid?.() === 0 ? "" : "sudo "}apt-get install ${missingPackages().join(" ")}`,
  );
  return false;
}

/** How the lab can be isolated here: a user namespace of its own, root without one, or not at all. */
export function isolation(): "user-namespace" | "root" | "refused" {
  const tried = (flags: string) =>
    spawnSync("unshare", [flags, "--mount-proc", "--kill-child=SIGKILL", "true"], { stdio: "ignore" }).status === 0;
  if (tried("-Urnmpf")) return "user-namespace";
  return process.getuid?.() === 0 && tried("-nmpf") ? "root" : "refused";
}
