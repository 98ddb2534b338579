import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { BootSight } from "../../core/doctor/examination.ts";

/** Where systemd-networkd looks (systemd.netdev(5)), strongest first. */
const NETDEV_DIRECTORIES = [
  "etc/systemd/network",
  "run/systemd/network",
  "usr/local/lib/systemd/network",
  "usr/lib/systemd/network",
];
const UNITS = "etc/systemd/system";
const UNIT = /^hairpin-link(-.+)?\.service$/;
const CLUSTERS = ["k0scontroller.service", "k0sworker.service"];
const UNIT_DIRECTORIES = [UNITS, "run/systemd/system", "usr/local/lib/systemd/system", "usr/lib/systemd/system"];
const FILES_MAX = 512;

/** What would make links at the next boot, read from the files of systemd below `root`. */
export function lookAtBoot(root = "/"): BootSight {
  return { netdevs: netdevs(root), units: units(root), clusters: clusters(root) };
}

function netdevs(root: string): BootSight["netdevs"] {
  const seen = new Set<string>();
  return NETDEV_DIRECTORIES.flatMap((directory) =>
    names(join(root, directory))
      .filter((name) => name.endsWith(".netdev") && !seen.has(name))
      .flatMap((name) => {
        seen.add(name); // A file of the same name in a weaker directory does not count.
        const path = join(root, directory, name);
        const text = read(path);
        const link = value(text, "Name");
        return link === null
          ? []
          : [
              {
                path,
                name: link,
                kind: value(text, "Kind") ?? "",
                mac: value(text, "MACAddress")?.toLowerCase() ?? null,
              },
            ];
      }),
  );
}

function units(root: string): BootSight["units"] {
  const directory = join(root, UNITS);
  const found = names(directory);
  const wants = found.filter((name) => name.endsWith(".wants"));
  return found
    .filter((name) => UNIT.test(name))
    .map((unit) => {
      const path = join(directory, unit);
      return {
        path,
        unit,
        link: linkOf(read(path), root),
        enabled: wants.some((folder) => names(join(directory, folder)).includes(unit)),
      };
    });
}

/** `hairpin link persist` writes the link into the unit; deploy/host's unit reads it from a file of settings. */
function linkOf(text: string, root: string): string | null {
  const inline = /ip link show dev (\S+)/.exec(text)?.[1];
  if (inline !== undefined) return inline;
  const settings = value(text, "EnvironmentFile")?.replace(/^-/, "");
  return settings === undefined ? null : (value(read(join(root, settings)), "NAME")?.replaceAll('"', "") ?? null);
}

function clusters(root: string): BootSight["clusters"] {
  return CLUSTERS.filter((service) =>
    UNIT_DIRECTORIES.some((directory) => existsSync(join(root, directory, service))),
  ).map((service) => {
    const files = UNIT_DIRECTORIES.flatMap((directory) => [
      join(root, directory, service),
      ...names(join(root, directory, `${service}.d`)).map((name) => join(root, directory, `${service}.d`, name)),
    ]);
    const after = files.flatMap((file) =>
      [...read(file).matchAll(/^After=(.*)$/gm)].flatMap(([, list]) => list!.trim().split(/\s+/)),
    );
    return { service, after };
  });
}

function names(directory: string): readonly string[] {
  try {
    return readdirSync(directory).sort().slice(0, FILES_MAX);
  } catch {
    return [];
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8").slice(0, 65_536);
  } catch {
    return "";
  }
}

function value(text: string, key: string): string | null {
  return new RegExp(`^\\s*${key}\\s*=\\s*(.+?)\\s*$`, "m").exec(text)?.[1] ?? null;
}
