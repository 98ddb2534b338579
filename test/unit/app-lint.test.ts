import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { lintApp, linters } from "../support/app-linter.ts";

type Fields = Readonly<Record<string, unknown>>;

const root = new URL("../../", import.meta.url).pathname;
const deploy = `${root}deploy/homeassistant`;
const APPS = ["app", "app-host-network"];
const read = (path: string): string => readFileSync(join(deploy, path), "utf8");
const configOf = (app: string) => parse(read(`${app}/config.yaml`)) as Fields & { options: Fields; schema: Fields };
const version = (JSON.parse(readFileSync(`${root}package.json`, "utf8")) as { version: string }).version;

test("both apps pass the public linter's rules and the supervisor's", () => {
  for (const app of APPS) assert.deepEqual(lintApp(configOf(app)), [], app);
});

test("each rule is broken once, and named", () => {
  const good = configOf("app");
  const options = (more: Fields) => ({ options: { ...good.options, ...more } });
  const planted: readonly (readonly [Fields, string])[] = [
    [{ slug: undefined }, "slug is missing"],
    [{ boot: "auto" }, "boot says what is so anyway"],
    [{ ingress_port: 8099 }, "ingress_port says what is so anyway"],
    [{ ingress_port: 0 }, "ingress_port is random without a need"],
    [{ watchdog: "http://[HOST]:8099/" }, "watchdog is unknown, or too powerful for this app"],
    [{ webui: "http://[HOST]:8099/" }, "webui is unknown, or too powerful for this app"],
    [{ full_access: true }, "full_access is unknown, or too powerful for this app"],
    [{ docker_api: true }, "docker_api is unknown, or too powerful for this app"],
    [{ arch: ["armv7"] }, "arch is not of its form"],
    [{ privileged: ["SYS_ADMIN"] }, "privileged is not of its form"],
    [{ privileged: ["NET_RAW"] }, "privileged is asked for where the host's network is not"],
    [{ services: ["mqtt"] }, "services is not of its form"],
    [options({ unheard_of: 1 }), "options.unheard_of is not in the schema"],
    [{ schema: { ...good.schema, who_has: "boolean" } }, "schema.who_has is not of its form"],
    [{ schema: { ...good.schema, join_token: "str" } }, "schema.join_token would be shown as it is typed"],
    [{ schema: { ...good.schema, further: "bool" } }, "options.further is missing"],
  ];
  for (const [change, said] of planted) {
    const config = Object.fromEntries(
      Object.entries({ ...good, ...change }).filter(([, value]) => value !== undefined),
    );
    assert.ok(lintApp(config).includes(said), `${JSON.stringify(change)} → ${JSON.stringify(lintApp(config))}`);
  }
});

test("the two variants differ in the network alone, and every option is explained in each language", () => {
  const [bridge, host] = [configOf("app"), configOf("app-host-network")];
  const differing = [...new Set([...Object.keys(bridge), ...Object.keys(host)])].filter(
    (key) => JSON.stringify(bridge[key]) !== JSON.stringify(host[key]),
  );
  const network = ["environment", "host_network", "ingress_port", "privileged"];
  assert.deepEqual(differing.sort(), [...network, "description", "name", "slug"].sort());
  assert.equal((host["environment"] as Fields)["HAIRPIN_INGRESS"], `172.30.32.1:${String(host["ingress_port"])}`);
  for (const language of readdirSync(`${deploy}/app/translations`)) {
    const { configuration } = parse(read(`app/translations/${language}`)) as { configuration: Fields };
    assert.deepEqual(Object.keys(configuration).sort(), Object.keys(bridge.schema).sort(), language);
    for (const [key, words] of Object.entries(configuration))
      assert.deepEqual(Object.keys(words as Fields), ["name", "description"], `${language} ${key}`);
  }
});

test("the supervisor finds the two apps and no others, and a repository.yaml at the top", () => {
  const listed = spawnSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
    encoding: "utf8",
  });
  // supervisor/store/data.py: every config.* with one of these endings, but in hidden folders and in rootfs.
  const found = listed.stdout
    .split("\n")
    .filter((path) => /(^|\/)config\.(.*\.)?(ya?ml|json)$/.test(path) && !/(^|\/)(\.|rootfs\/)/.test(path));
  if (listed.status === 0)
    assert.deepEqual(found.sort(), APPS.map((app) => `deploy/homeassistant/${app}/config.yaml`).sort());
  assert.ok(String((parse(readFileSync(`${root}repository.yaml`, "utf8")) as Fields)["name"]).length > 0);
});

test("each app has what the store shows: documents, pictures of their sizes, this version, one AppArmor profile, no build.yaml", () => {
  const size = (path: string) => {
    const png = readFileSync(join(deploy, path));
    assert.equal(png.toString("latin1", 1, 4), "PNG");
    return [png.readUInt32BE(16), png.readUInt32BE(20)];
  };
  for (const app of APPS) {
    assert.deepEqual(size(`${app}/icon.png`), [128, 128]);
    assert.deepEqual(size(`${app}/logo.png`), [250, 100]);
    for (const name of ["README.md", "DOCS.md"]) assert.ok(read(`${app}/${name}`).length > 400, name);
    assert.equal(configOf(app)["version"], version);
    assert.match(read(`${app}/CHANGELOG.md`), new RegExp(`^## ${version.replaceAll(".", "\\.")}$`, "m"));
    assert.equal(read(`${app}/apparmor.txt`).match(/^profile /gm)?.length, 1);
    assert.throws(() => statSync(join(deploy, app, "build.yaml")), "the supervisor does not read it any more");
  }
});

test("pack.sh makes folders that hold everything the Dockerfile copies, and the image runs on the Node of the project", () => {
  const out = mkdtempSync(join(tmpdir(), "hairpin-pack-"));
  try {
    const run = spawnSync("bash", [`${deploy}/app/pack.sh`, out, "--image", "registry.example/hairpin-app"], {
      encoding: "utf8",
      timeout: 30_000,
    });
    assert.equal(run.status, 0, run.stderr);
    const dockerfile = read("app/Dockerfile");
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names]) => names!.split(" "));
    assert.ok(copied.length >= 5);
    for (const app of ["hairpin", "hairpin-host-network"]) {
      for (const name of copied) assert.ok(statSync(join(out, app, name)), `${app}/${name}`);
      const packed = parse(readFileSync(join(out, app, "config.yaml"), "utf8")) as Fields;
      assert.deepEqual(lintApp(packed), []);
      assert.equal(packed["image"], "registry.example/hairpin-app");
      assert.notEqual(statSync(join(out, app, "rootfs/usr/local/bin/hairpin-alive")).mode & 0o111, 0);
    }
    assert.match(dockerfile, /^FROM docker\.io\/library\/node:24-\w+-slim$/m);
    assert.match(dockerfile, /^HEALTHCHECK .*--start-period=\d+s/m);
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
});

const tools = linters();
const skip = "skip" in tools ? tools.skip : false;
const tool = (name: string, args: readonly string[]) =>
  spawnSync(join("bin" in tools ? tools.bin : "", name), args, { encoding: "utf8", timeout: 30_000 });

test("hadolint finds nothing in the Dockerfile, and yamllint nothing in the YAML", { skip }, () => {
  const hadolint = tool("hadolint", [`${deploy}/app/Dockerfile`]);
  assert.equal(hadolint.status, 0, hadolint.stdout + hadolint.stderr);
  const files = [`${root}repository.yaml`, `${deploy}/app`, ...APPS.map((app) => `${deploy}/${app}/config.yaml`)];
  const yamllint = tool("yamllint", ["-s", "-d", "{extends: default, rules: {line-length: disable}}", ...files]);
  assert.equal(yamllint.status, 0, yamllint.stdout + yamllint.stderr);
});

test("the AppArmor profile is read without an error", {
  skip: spawnSync("apparmor_parser", ["--version"]).error ? "apparmor_parser is not installed" : false,
}, () => {
  const run = spawnSync("apparmor_parser", ["-Q", "-K", "-S", `${deploy}/app/apparmor.txt`], { timeout: 30_000 });
  assert.equal(run.status, 0, run.stderr.toString());
});

test("the health check's script is clean", {
  skip: spawnSync("shellcheck", ["--version"]).error ? "shellcheck is not installed" : false,
}, () => {
  const scripts = [`${deploy}/app/pack.sh`, `${deploy}/app/rootfs/usr/local/bin/hairpin-alive`];
  const run = spawnSync("shellcheck", scripts, { encoding: "utf8", timeout: 30_000 });
  assert.equal(run.status, 0, run.stdout);
});
