import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

const root = new URL("../../", import.meta.url).pathname;
const NAMESPACE = ["-Urnmpf", "--mount-proc", "--kill-child"];

function inNamespace(lines: readonly string[]) {
  const prelude = [
    "set -eu",
    "ip link add bridge0 type bridge",
    "ip link set bridge0 up",
    "set -a; . deploy/host/hairpin-link.env; set +a",
    "up() { sh deploy/host/link-up.sh; }",
    "sysctl() { cat /proc/sys/net/ipv4/conf/metallb0/$1; }",
    "index() { ip -o link show metallb0 | cut -d: -f1; }",
  ];
  const run = spawnSync("unshare", [...NAMESPACE, "sh", "-c", [...prelude, ...lines].join("\n")], {
    cwd: root,
    encoding: "utf8",
    timeout: 20_000,
    env: { PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` },
  });
  return { code: run.status, out: run.stdout.trim().split("\n"), err: run.stderr };
}

const refusal = spawnSync("unshare", [...NAMESPACE, "ip", "link", "add", "br0", "type", "bridge"], {
  encoding: "utf8",
  timeout: 10_000,
});
const skip =
  refusal.status === 0
    ? false
    : `no user namespace with iproute2 here: ${refusal.error?.message ?? refusal.stderr.trim()}`;

test("the link at boot has its MAC, mode and sysctls although conf.default says otherwise, and a second run changes nothing", {
  skip,
}, () => {
  const { code, out, err } = inNamespace([
    "echo 2 > /proc/sys/net/ipv4/conf/default/rp_filter",
    "up; first=$(index); before=$(ip -d -o link show metallb0)",
    'up; [ $(index) = $first ] && [ "$(ip -d -o link show metallb0)" = "$before" ] && echo same',
    "sysctl rp_filter; sysctl arp_ignore",
    "ip -o link show metallb0 | grep -o 'link/ether [0-9a-f:]*'",
    "ip -d -o link show metallb0 | grep -o 'macvlan mode [a-z]*'",
    "ip -o link show metallb0 | grep -o '[<,]UP[,>]' | tr -d '<,>'",
    "bridge fdb show dev bridge0 | grep -c 'f2:5a:5f:84:40:e8 self permanent'",
  ]);
  assert.equal(code, 0, err);
  assert.deepEqual(out, ["same", "0", "1", "link/ether f2:5a:5f:84:40:e8", "macvlan mode bridge", "UP", "1"]);
});

test("what drifted is put right: a sysctl and a link that is down in place, another MAC by making it anew", {
  skip,
}, () => {
  const { code, out, err } = inNamespace([
    "up; first=$(index)",
    "echo 1 > /proc/sys/net/ipv4/conf/metallb0/rp_filter; ip link set metallb0 down",
    "up; sysctl rp_filter; [ $(index) = $first ] && echo kept",
    "ip link set metallb0 address 02:00:00:00:00:09",
    "up; [ $(index) = $first ] || echo anew",
    "ip -o link show metallb0 | grep -o 'link/ether [0-9a-f:]*'",
  ]);
  assert.equal(code, 0, err);
  assert.deepEqual(out, ["0", "kept", "anew", "link/ether f2:5a:5f:84:40:e8"]);
});

test("a missing parent, a foreign link of that name and a wrong setting are refused with a reason, and nothing is deleted", {
  skip,
}, () => {
  const { code, out, err } = inNamespace([
    "(PARENT=bridge9 up) || echo $?",
    "(MAC=nonsense up) || echo $?",
    "ip link add metallb0 type bridge; up || echo $?",
    "ip -d -o link show metallb0 | grep -c bridge_id",
  ]);
  assert.equal(code, 0, err);
  assert.deepEqual(out, ["1", "2", "1", "1"]);
  assert.match(err, /bridge9 is missing/);
  assert.match(err, /not ours to touch/);
});
