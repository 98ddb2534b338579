import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { parseAllDocuments } from "yaml";
import { readKubeconfig } from "../../src/runtime/node/kubeconfig.ts";
import { runHairpin } from "../support/command.ts";
import {
  ADMIN_TOKEN,
  type Asked,
  AUTHORITY,
  HOST_TOKEN,
  type RightsStandIn,
  startRightsStandIn,
} from "../support/kube-rights-stand-in.ts";

const root = new URL("../../", import.meta.url).pathname;
let directory: string;
let api: RightsStandIn;
before(async () => {
  api = await startRightsStandIn();
});
after(() => api.close());
afterEach(() => rmSync(directory, { recursive: true, force: true }));
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "hairpin-kubeconfig-"));
  api.secrets.clear();
  api.asked.length = 0;
  api.allows = () => false;
  writeFileSync(join(directory, "admin.conf"), kubeconfigOf(api.url, ADMIN_TOKEN));
  writeFileSync(
    join(directory, "hairpin.yaml"),
    [
      "site: cabin",
      "targets:",
      "  names: { address: 10.9.0.53, service: names/resolver }",
      "  web: { address: 10.9.0.80, service: ingress/front }",
      "speaker: { namespace: lb, node: k1, kubeconfig_file: host.conf, services: [names/resolver] }",
      "",
    ].join("\n"),
  );
});

const kubeconfigOf = (server: string, token: string): string =>
  JSON.stringify({
    "current-context": "c",
    contexts: [{ name: "c", context: { cluster: "k", user: "u" } }],
    clusters: [{ name: "k", cluster: { server } }],
    users: [{ name: "u", user: { token } }],
  });

const kubeconfig = (...flags: string[]) =>
  runHairpin(["kubeconfig", "--config", join(directory, "hairpin.yaml"), ...flags], { cwd: directory });
const fillSecret = () =>
  api.secrets.set("lb/hairpin-host-token", { token: Buffer.from(HOST_TOKEN).toString("base64"), "ca.crt": AUTHORITY });

test("the host's kubeconfig is written from the secret, for its owner alone, in one move, and never over another", async () => {
  fillSecret();
  const run = await kubeconfig("--from", "admin.conf");
  assert.equal(run.code, 0, run.err);
  const file = join(directory, "host.conf");
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const access = readKubeconfig(file);
  assert.deepEqual([access.origin, access.token], [api.url, HOST_TOKEN]);
  assert.match(access.ca ?? "", /of the stand-in/);
  assert.ok(!run.out.includes(HOST_TOKEN) && !run.err.includes(HOST_TOKEN));
  assert.deepEqual(readdirSync(directory).sort(), ["admin.conf", "hairpin.yaml", "host.conf"]);
  const again = await kubeconfig("--from", "admin.conf", "--server", "https://127.0.0.1:9443");
  assert.deepEqual([again.code, readKubeconfig(file).origin], [2, api.url]);
  assert.match(again.err, /--force replaces it/);
  const forced = await kubeconfig("--from", "admin.conf", "--server", "https://127.0.0.1:9443", "--force", "--json");
  assert.equal(forced.code, 0, forced.err);
  assert.deepEqual(
    [JSON.parse(forced.out).server, readKubeconfig(file).origin],
    Array(2).fill("https://127.0.0.1:9443"),
  );
});

test("the administrator's access is found in KUBECONFIG; one that is not there is named with what to type", async () => {
  fillSecret();
  const args = ["kubeconfig", "--config", join(directory, "hairpin.yaml"), "--out", join(directory, "other.conf")];
  const env = { KUBECONFIG: `${directory}/none.conf:${directory}/admin.conf` };
  assert.equal((await runHairpin(args, { env })).code, 0);
  const absent = await kubeconfig("--from", "none.conf");
  assert.equal(absent.code, 2);
  assert.match(absent.err, /--from FILE/);
});

test("a secret that is missing, or not filled in, or an API that is away is said with what to type; nothing is written", async () => {
  const missing = await kubeconfig("--from", "admin.conf");
  assert.equal(missing.code, 1);
  assert.match(missing.err, /lb\/hairpin-host-token is missing[\s\S]*--print-manifest \| kubectl apply -f -/);
  api.secrets.set("lb/hairpin-host-token", {});
  assert.match((await kubeconfig("--from", "admin.conf")).err, /has no token yet/);
  writeFileSync(join(directory, "admin.conf"), kubeconfigOf("http://127.0.0.1:1", ADMIN_TOKEN));
  const away = await kubeconfig("--from", "admin.conf");
  assert.equal(away.code, 3);
  assert.match(away.err, /ECONNREFUSED/);
  assert.equal(existsSync(join(directory, "host.conf")), false);
});

test("a server behind a guarded address is refused: repairs would need what they repair", async () => {
  fillSecret();
  const run = await kubeconfig("--from", "admin.conf", "--server", "https://10.9.0.80:6443");
  assert.equal(run.code, 2);
  assert.match(run.err, /guarded address of target web.*--server/);
  const named = await kubeconfig("--from", "admin.conf", "--server", "https://api.invalid:6443", "--json");
  assert.match(JSON.parse(named.out).warnings[0], /api\.invalid is a name/);
});

/** The rights of deploy/kubernetes in this house's namespace. */
const granted = ({ verb, resource, namespace, name }: Asked): boolean =>
  resource === "services" && verb === "patch"
    ? namespace === "names" && name === "resolver"
    : resource === "pods"
      ? namespace === "lb" && ["get", "list", "delete"].includes(verb)
      : ["get", "list"].includes(verb) && resource !== "secrets" && resource !== "daemonsets";

async function checked() {
  writeFileSync(join(directory, "host.conf"), kubeconfigOf(api.url, HOST_TOKEN), { mode: 0o600 });
  const run = await kubeconfig("--check", "--json");
  const document = JSON.parse(run.out) as {
    ok: boolean;
    rights: { verb: string; resource: string; namespace: string | null; state: string }[];
  };
  const those = (state: string) =>
    document.rights
      .filter((right) => right.state === state)
      .map((right) => `${right.verb} ${right.resource} in ${right.namespace}`);
  return { code: run.code, ok: document.ok, those };
}

test("check asks for every right that safety.md lists, and is content with exactly these", async () => {
  api.allows = granted;
  const { code, ok, those } = await checked();
  assert.deepEqual([code, ok, those("missing"), those("too_much")], [0, true, [], []]);
  const there = those("there");
  for (const resource of ["services", "events", "endpointslices"])
    for (const namespace of ["names", "ingress"])
      assert.ok(there.includes(`list ${resource} in ${namespace}`), resource);
  for (const resource of ["servicel2statuses", "l2advertisements", "ipaddresspools"])
    assert.ok(there.includes(`get ${resource} in lb`), resource);
  for (const verb of ["get", "list", "delete"]) assert.ok(there.includes(`${verb} pods in lb`));
  assert.ok(there.includes("patch services in names"));
  assert.ok(
    api.asked.some((asked) => asked.resource === "daemonsets" && asked.group === "apps" && asked.verb === "patch"),
  );
});

test("check says what is missing and what is too much, and exits 1 for either", async () => {
  api.allows = (asked) => granted(asked) && asked.resource !== "endpointslices";
  const short = await checked();
  assert.deepEqual([short.code, short.those("missing").length], [1, 4]);
  api.allows = (asked) => granted(asked) || (asked.resource === "daemonsets" && asked.verb === "patch");
  const rich = await checked();
  assert.deepEqual([rich.code, rich.those("too_much")], [1, ["patch daemonsets in lb"]]);
  const words = await kubeconfig("--check");
  assert.match(words.out, /TOO MUCH {2}patch +daemonsets +lb +is root on every node/);
  api.allows = (asked) => granted(asked) && asked.verb !== "patch";
  assert.deepEqual((await checked()).code, 0, "the right of announce is optional");
});

test("a token that Kubernetes does not know cannot be judged, and a file that others read is not used", async () => {
  writeFileSync(join(directory, "host.conf"), kubeconfigOf(api.url, "of nobody"), { mode: 0o600 });
  const unknown = await kubeconfig("--check");
  assert.deepEqual([unknown.code, unknown.err.includes("Unauthorized")], [3, true]);
  rmSync(join(directory, "host.conf"));
  assert.match((await kubeconfig("--check")).err, /hairpin kubeconfig writes it/);
  writeFileSync(join(directory, "host.conf"), kubeconfigOf(api.url, HOST_TOKEN), { mode: 0o644 });
  const open = await kubeconfig("--check");
  assert.deepEqual([open.code, /chmod 600/.test(open.err)], [2, true]);
});

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly namespace?: string };
  readonly subjects?: readonly { readonly namespace: string }[];
}

test("the printed manifest is the shipped one in the configured namespace; announce adds a right on the named Services", async () => {
  const objects = async (...flags: string[]) =>
    parseAllDocuments((await kubeconfig("--print-manifest", ...flags)).out).map((each) => each.toJS() as Manifest);
  const shipped = parseAllDocuments(readFileSync(`${root}deploy/kubernetes/rbac.yaml`, "utf8"));
  const plain = await objects();
  assert.equal(plain.length, shipped.length);
  for (const object of plain) {
    assert.ok([undefined, "lb"].includes(object.metadata.namespace), object.kind);
    for (const subject of object.subjects ?? []) assert.equal(subject.namespace, "lb");
  }
  const more = (await objects("--announce")).slice(plain.length);
  assert.deepEqual(
    more.map(({ kind, metadata }) => `${kind} in ${metadata.namespace}`),
    ["Role in names", "RoleBinding in names"],
  );
  assert.deepEqual((more[0] as unknown as { rules: unknown }).rules, [
    { apiGroups: [""], resources: ["services"], resourceNames: ["resolver"], verbs: ["patch"] },
  ]);
});
