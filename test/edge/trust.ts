import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { makeAuthority } from "../../src/lab/certificates.ts";

/** The public authority of these tests: an edge trusts no authority that a house has of its own. */
export const authority = makeAuthority("Edge Suite Root", Date.now());

/** Makes both runtimes trust it, those that are started from now on; the answer takes it back. */
export function trust(): () => void {
  const before = getCACertificates("default");
  const directory = mkdtempSync(join(tmpdir(), "hairpin-edge-suite-"));
  writeFileSync(join(directory, "ca.pem"), authority.certificate);
  setDefaultCACertificates([...before, authority.certificate]);
  // The local Workers runtime trusts what this file says; it is read when it starts.
  process.env["SSL_CERT_FILE"] = join(directory, "ca.pem");
  return () => {
    setDefaultCACertificates(before);
    delete process.env["SSL_CERT_FILE"];
    rmSync(directory, { recursive: true, force: true });
  };
}
