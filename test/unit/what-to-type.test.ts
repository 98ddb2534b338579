import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import type { DnsCheck } from "../../src/core/plan.ts";
import {
  askDns,
  askNeighbour,
  askUrl,
  certificateOf,
  knock,
  ping,
  shellWord,
  showCertificate,
} from "../../src/core/what-to-type.ts";

const check: DnsCheck = {
  kind: "dns",
  id: "dns:auth.attic.lan",
  name: "auth.attic.lan",
  type: "A",
  expect: null,
  transport: "udp",
  upstream: false,
  port: 53,
};

test("A word comes out of a shell as it was written", () => {
  const words = ["plain", "fd00::53", "[fd00::53]:443", "https://a.b/c?d=e&f=$(id)", "it's", "a b", "*", "", "`id`"];
  for (const word of words)
    assert.equal(execFileSync("sh", ["-c", `printf %s ${shellWord(word)}`], { encoding: "utf8" }), word);
  assert.equal(shellWord("auth.attic.lan"), "auth.attic.lan", "no quotes where none are needed");
});

test("Who has an address: arping for IPv4, the kernel's own question for IPv6, on the interface where it is known", () => {
  assert.match(askNeighbour("10.9.8.53", "eth0"), /^arping -c 3 -I eth0 10\.9\.8\.53 /);
  assert.match(askNeighbour("10.9.8.53", null), /^arping -c 3 10\.9\.8\.53 /);
  const six = askNeighbour("fd00::53", "eth0");
  assert.match(six, /^ip -6 neigh flush to fd00::53 dev eth0; ping -6 -c 3 fd00::53; ip -6 neigh show to fd00::53 /);
  assert.doesNotMatch(six, /arping/);
});

test("A name is asked as the check asks it: transport, port, TLS name and proof", () => {
  assert.equal(askDns(check, "10.9.8.53"), "dig @10.9.8.53 auth.attic.lan A");
  assert.equal(
    askDns({ ...check, transport: "tcp", port: 5353 }, "fd00::53"),
    "dig +tcp -p 5353 @fd00::53 auth.attic.lan A",
  );
  assert.equal(
    askDns({ ...check, transport: "tls", port: 853, server_name: "dns.attic.lan", ad: true }, "10.9.8.53"),
    "dig +tls +tls-hostname=dns.attic.lan +dnssec @10.9.8.53 auth.attic.lan A",
  );
});

test("IPv6 stands in brackets before a port, and in quotes, since brackets are a pattern", () => {
  assert.match(
    showCertificate("fd00::50", 443, "auth.attic.lan"),
    /-connect '\[fd00::50\]:443' -servername auth\.attic\.lan /,
  );
  assert.match(showCertificate("10.9.8.50", 853, null), /-connect 10\.9\.8\.50:853 <\/dev\/null/);
  assert.equal(
    askUrl("https://auth.attic.lan/a?b=c", "auth.attic.lan", "fd00::50", 443),
    "curl -sv -k --resolve 'auth.attic.lan:443:[fd00::50]' 'https://auth.attic.lan/a?b=c'",
  );
  assert.equal(knock("fd00::50", 443), "nc -vz -w 3 fd00::50 443");
  assert.equal(ping("fd00::1"), "ping -6 -c 3 fd00::1");
});

test("A check meets a certificate on its own port and for its own name", () => {
  assert.deepEqual(certificateOf({ ...check, transport: "tls", port: 853, server_name: "dns.attic.lan" }), {
    port: 853,
    name: "dns.attic.lan",
  });
  assert.equal(certificateOf(check), null);
});
