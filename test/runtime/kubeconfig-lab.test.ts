import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { makeAuthority } from "../../src/lab/certificates.ts";
import { Cluster } from "../../src/lab/standins/cluster.ts";
import { kubeApi } from "../../src/lab/standins/kube-api.ts";
import { runHairpin } from "../support/command.ts";

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

test("over TLS with the cluster's own authority, the rights of the lab's API are the ones of deploy/kubernetes; another authority is refused", async () => {
  const dir = mkdtempSync(join(tmpdir(), "hairpin-kube-lab-"));
  const authority = makeAuthority("the lab's cluster", Date.now());
  const port = await freePort();
  const hooks = { onServicePatched: () => {}, onPodDeleted: () => {} };
  const api = kubeApi(new Cluster(), {
    port,
    token: "the-token-of-the-lab",
    pair: authority.issue(["127.0.0.1"]),
    hooks,
  });
  await api.setUp(true);
  try {
    const config = join(dir, "hairpin.yaml");
    writeFileSync(
      config,
      "site: lab\ntargets: { dns: { address: 192.0.2.53, service: network/dns } }\nspeaker: { node: n5, kubeconfig_file: kubeconfig, services: [network/dns] }\n",
    );
    const write = (certificate: string) =>
      writeFileSync(
        join(dir, "kubeconfig"),
        JSON.stringify({
          "current-context": "c",
          contexts: [{ name: "c", context: { cluster: "k", user: "u" } }],
          clusters: [
            {
              name: "k",
              cluster: {
                server: `https://127.0.0.1:${port}`,
                "certificate-authority-data": Buffer.from(certificate).toString("base64"),
              },
            },
          ],
          users: [{ name: "u", user: { token: "the-token-of-the-lab" } }],
        }),
        { mode: 0o600 },
      );
    write(authority.certificate);
    const run = await runHairpin(["kubeconfig", "--check", "--config", config]);
    assert.equal(run.code, 0, run.out + run.err);
    assert.doesNotMatch(run.out, /MISSING|TOO MUCH/);
    write(makeAuthority("somebody else", Date.now()).certificate);
    const foreign = await runHairpin(["kubeconfig", "--check", "--config", config]);
    assert.equal(foreign.code, 3);
    assert.match(foreign.err, /certificate|SIGNATURE|ISSUER/i);
  } finally {
    await api.setUp(false);
    rmSync(dir, { recursive: true });
  }
});
