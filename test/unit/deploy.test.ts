import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { parseAllDocuments, parse as parseYaml } from "yaml";
import { loadConfig } from "../../src/runtime/node/config-file.ts";

const root = new URL("../../", import.meta.url).pathname;
const deploy = `${root}deploy`;
const { house } = loadConfig(`${root}hairpin.yaml`, { missingFiles: "warning" });
const link = house.links[0]!;
const speaker = house.speakers["default"]!;

function read(path: string): string {
  return readFileSync(join(deploy, path), "utf8");
}

/** `Key=value` lines by section, comments left out; a key that is written several times keeps all its values. */
function ini(text: string): Record<string, Record<string, string[]>> {
  const sections: Record<string, Record<string, string[]>> = {};
  let section: Record<string, string[]> = {};
  for (const line of text.split("\n")) {
    const head = /^\[(.+)\]$/.exec(line);
    const entry = /^([A-Za-z0-9]+)=(.*)$/.exec(line);
    if (head !== null) section = sections[head[1]!] ??= {};
    else if (entry !== null) section[entry[1]!] = [...(section[entry[1]!] ?? []), entry[2]!];
  }
  return sections;
}

function available(...command: [string, ...string[]]): boolean {
  return spawnSync(command[0], command.slice(1), { stdio: "ignore" }).status === 0;
}

/** The manifests, with what is read of them here. */
interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly rules?: readonly {
    readonly apiGroups: readonly string[];
    readonly resources: readonly string[];
    readonly resourceNames?: readonly string[];
    readonly verbs: readonly string[];
  }[];
  readonly spec?: {
    readonly addresses?: readonly string[];
    readonly ipAddressPools?: readonly string[];
    readonly interfaces?: readonly string[];
    readonly nodeSelectors?: readonly { readonly matchLabels: Readonly<Record<string, string>> }[];
  };
}

function manifests(...paths: string[]): readonly Manifest[] {
  return paths.flatMap((path) =>
    parseAllDocuments(read(`kubernetes/${path}`)).map((document) => document.toJS() as Manifest),
  );
}

test("the oneshot unit's settings are the link of hairpin.yaml", () => {
  const settings = Object.fromEntries(
    read("host/hairpin-link.env")
      .split("\n")
      .flatMap((line) => (/^([A-Z_]+)=(.*)$/.exec(line) ? [/^([A-Z_]+)="?(.*?)"?$/.exec(line)!.slice(1, 3)] : [])),
  ) as Record<string, string>;
  assert.deepEqual(settings, {
    NAME: link.name,
    PARENT: link.parent,
    MAC: link.mac,
    MODE: link.mode,
    RP_FILTER: String(link.sysctl.rp_filter),
    ARP_IGNORE: String(link.sysctl.arp_ignore),
    ADDRESSES: link.addresses.join(" "),
    FDB_LOCAL: link.fdb_local ? "yes" : "no",
  });
});

test("the link's unit stands before k0s, is bound to the bridge's device, and k0s waits for it", () => {
  const unit = ini(read("host/systemd/hairpin-link.service"));
  const device = `sys-subsystem-net-devices-${link.parent}.device`;
  assert.deepEqual(unit["Unit"]!["Before"], ["k0scontroller.service k0sworker.service"]);
  assert.deepEqual(unit["Unit"]!["BindsTo"], [device]);
  assert.ok(unit["Unit"]!["After"]![0]!.split(" ").includes(device));
  assert.deepEqual(unit["Service"]!["Type"], ["oneshot"]);
  for (const name of ["k0scontroller", "k0sworker"]) {
    const dropIn = ini(read(`host/systemd/${name}.service.d/10-hairpin-link.conf`))["Unit"]!;
    assert.deepEqual([dropIn["Wants"], dropIn["After"]], [["hairpin-link.service"], ["hairpin-link.service"]]);
  }
});

test("the networkd pair has the name, the fixed MAC and the mode of hairpin.yaml", () => {
  const netdev = ini(read(`host/networkd/10-${link.name}.netdev`));
  assert.deepEqual(netdev["NetDev"], { Name: [link.name], Kind: ["macvlan"], MACAddress: [link.mac] });
  assert.deepEqual(netdev["MACVLAN"], { Mode: [link.mode] });
  const network = ini(read(`host/networkd/10-${link.name}.network`));
  assert.deepEqual(network["Match"], { Name: [link.name] });
  assert.deepEqual(network["Network"]!["DHCP"], ["no"]);
  assert.deepEqual(ini(read("host/networkd/10-hairpin-macvlan.conf"))["Network"], { MACVLAN: [link.name] });
  assert.match(
    read(`host/networkd/60-${link.name}.sysctl`),
    new RegExp(`^net/ipv4/conf/${link.name}/rp_filter = ${link.sysctl.rp_filter}$`, "m"),
  );
});

test("the host's service has the two capabilities and can write the link's sysctls; the hub's has none", () => {
  const host = ini(read("host/systemd/hairpin-host.service"))["Service"]!;
  assert.deepEqual(host["AmbientCapabilities"], ["CAP_NET_ADMIN CAP_NET_RAW"]);
  assert.deepEqual(host["CapabilityBoundingSet"], ["CAP_NET_ADMIN CAP_NET_RAW"]);
  assert.equal(host["ProtectKernelTunables"], undefined);
  assert.equal(ini(read("host/systemd/hairpin-link.service"))["Service"]!["ProtectKernelTunables"], undefined);
  const hub = ini(read("host/systemd/hairpin-hub.service"))["Service"]!;
  assert.deepEqual(hub["CapabilityBoundingSet"], [""]);
  assert.notEqual(hub["User"], host["User"]);
  assert.equal(`/var/lib/${host["StateDirectory"]}`, house.hosts["default"]!.journal);
  assert.equal(`/var/lib/${hub["StateDirectory"]}`, house.hub.data);
});

test("the advertisement names the link, the node and the pool; the pool holds every guarded address", () => {
  const [pool] = manifests("ipaddresspool.yaml");
  const [advertisement] = manifests("l2advertisement.yaml");
  assert.equal(pool!.metadata.name, "homelab-pool");
  assert.deepEqual(pool!.spec!.addresses, ["192.168.8.50-192.168.8.79"]);
  const [from, to] = pool!.spec!.addresses![0]!.split("-").map(number) as [number, number];
  for (const address of house.targets.flatMap((target) => target.addresses)) {
    assert.ok(number(address) >= from && number(address) <= to, address);
  }
  assert.equal(advertisement!.metadata.name, "homelab-l2");
  assert.deepEqual(advertisement!.spec, {
    ipAddressPools: ["homelab-pool"],
    interfaces: [link.name],
    nodeSelectors: [{ matchLabels: { "kubernetes.io/hostname": speaker.node } }],
  });
  for (const { metadata } of [pool!, advertisement!]) assert.equal(metadata.namespace, speaker.namespace);
});

function number(address: string): number {
  return address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}

test("the host's token may do exactly what is promised: read, delete the speaker's pods, and optionally patch named Services", () => {
  const rights = (all: readonly Manifest[]) =>
    all.flatMap((manifest) =>
      (manifest.rules ?? []).flatMap((rule) =>
        rule.resources.flatMap((resource) =>
          rule.verbs.map(
            (verb) =>
              `${manifest.metadata.namespace ?? "*"} ${verb} ${resource}${rule.resourceNames ? ` ${rule.resourceNames}` : ""}`,
          ),
        ),
      ),
    );
  const read = (scope: string, ...resources: string[]) =>
    resources.flatMap((one) => [`${scope} get ${one}`, `${scope} list ${one}`]);
  assert.deepEqual(
    rights(manifests("rbac.yaml")).sort(),
    [
      ...read(
        "metallb-system",
        "pods",
        "servicel2statuses",
        "l2advertisements",
        "ipaddresspools",
        "bgppeers",
        "bgpadvertisements",
      ),
      "metallb-system delete pods",
      ...read("*", "services", "endpointslices", "events"),
    ].sort(),
  );
  const patches = speaker.services.map((service) => `${service.split("/")[0]} patch services ${service.split("/")[1]}`);
  assert.deepEqual(rights(manifests("announce/rbac.yaml")).sort(), patches.sort());
  const listed = parseYaml(readFileSync(`${deploy}/kubernetes/kustomization.yaml`, "utf8")) as { resources: string[] };
  assert.deepEqual(
    listed.resources.filter((path) => path.includes("announce")),
    [],
    "off by default",
  );
});

test("kustomize builds the manifests", {
  skip: available("kubectl", "version", "--client") ? false : "kubectl is not installed",
}, () => {
  for (const path of ["kubernetes", "kubernetes/announce"]) {
    const run = spawnSync("kubectl", ["kustomize", join(deploy, path)], { encoding: "utf8", timeout: 20_000 });
    assert.equal(run.status, 0, run.stderr);
  }
});

test("the shell scripts are clean", {
  skip: available("shellcheck", "--version") ? false : "shellcheck is not installed",
}, () => {
  const scripts = readdirSync(`${deploy}/host`)
    .filter((name) => name.endsWith(".sh"))
    .map((name) => `${deploy}/host/${name}`);
  const run = spawnSync("shellcheck", [...scripts, `${root}.ci/run`], { encoding: "utf8", timeout: 30_000 });
  assert.equal(run.status, 0, run.stdout);
});

function script(name: string, ...args: string[]) {
  return spawnSync("bash", [`${deploy}/host/${name}`, ...args], { cwd: root, encoding: "utf8", timeout: 30_000 });
}

test("install.sh writes this house's names everywhere, and uninstall.sh takes all of it away again", () => {
  const dir = mkdtempSync(join(tmpdir(), "hairpin-install-"));
  try {
    const config = join(dir, "house.yaml");
    const mac = "02:00:5e:00:00:07";
    writeFileSync(
      config,
      `site: x\nlink: { name: lb-0, parent: br-lan, mac: "${mac}", mode: private, sysctl: { arp_ignore: 2 } }\n`,
    );
    const dry = script("install.sh", "--config", config, "--root", join(dir, "out"), "--dry-run");
    assert.equal(dry.status, 0, dry.stderr);
    assert.throws(() => readdirSync(join(dir, "out")), "a dry run writes nothing");
    for (const part of ["link", "networkd", "hub", "host"]) {
      const run = script("install.sh", "--config", config, "--root", join(dir, "out"), "--only", part);
      assert.equal(run.status, 0, run.stderr);
    }
    const out = (path: string) => readFileSync(join(dir, "out", path), "utf8");
    assert.match(
      out("etc/default/hairpin-link"),
      /^NAME=lb-0\nPARENT=br-lan\nMAC=02:00:5e:00:00:07\nMODE=private\nRP_FILTER=0\nARP_IGNORE=2$/m,
    );
    assert.match(
      out("etc/systemd/system/hairpin-link.service"),
      /BindsTo=sys-subsystem-net-devices-br\\x2dlan\.device/,
    );
    assert.match(
      out("etc/systemd/network/10-lb-0.netdev"),
      /MACAddress=02:00:5e:00:00:07\n\n\[MACVLAN\]\nMode=private/,
    );
    assert.match(out("etc/systemd/network/br-lan.network.d/10-hairpin-macvlan.conf"), /MACVLAN=lb-0/);
    const written = readdirSync(join(dir, "out/etc"), { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    );
    for (const entry of written)
      assert.doesNotMatch(
        readFileSync(join(entry.parentPath, entry.name), "utf8"),
        /metallb0|bridge0|f2:5a/,
        entry.name,
      );
    const gone = script("uninstall.sh", "--root", join(dir, "out"), "--link", "--purge");
    assert.equal(gone.status, 0, gone.stderr);
    const left = readdirSync(join(dir, "out"), { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    );
    assert.deepEqual(
      left.map((entry) => entry.name),
      [],
    );
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test("install.sh and uninstall.sh refuse an unknown flag, two owners of the link, and a prefix that is no program's", () => {
  assert.equal(script("install.sh", "--bogus").status, 2);
  assert.equal(script("install.sh", "--only", "link", "--only", "networkd", "--dry-run").status, 2);
  assert.equal(script("uninstall.sh", "--prefix", "/", "--dry-run").status, 2);
});
