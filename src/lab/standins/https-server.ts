import { generateKeyPairSync } from "node:crypto";
import { createServer, type Server } from "node:https";
import type { KeyPair } from "../certificates.ts";

/** What the HTTPS server is made to get wrong. */
export type HttpsFault = "http-503" | "oidc-wrong-issuer" | "certificate-expired" | "certificate-wrong-name";

export interface HttpsSite {
  /** Status by "host path". */
  readonly pages: readonly { readonly host: string; readonly path: string; readonly status: number }[];
  readonly issuers: readonly string[];
  readonly certificates: { readonly good: KeyPair; readonly expired: KeyPair; readonly wrongName: KeyPair };
}

export interface HttpsServer {
  readonly setFault: (fault: HttpsFault | null) => void;
  readonly close: () => Promise<void>;
}

/** The stand-in for Traefik and the identity provider behind it: pages, OIDC discovery, JWKS with a real key. */
export async function startHttps(
  addresses: readonly string[],
  ports: readonly number[],
  site: HttpsSite,
): Promise<HttpsServer> {
  let fault: HttpsFault | null = null;
  const jwks = site.issuers.length > 0 ? makeJwks() : null;
  const respond = (host: string, path: string): { status: number; body: string; type: string; location?: string } => {
    if (fault === "http-503") return { status: 503, body: "no healthy upstream\n", type: "text/plain" };
    for (const issuer of site.issuers) {
      const base = new URL(issuer);
      const at = base.pathname.replace(/\/$/, "");
      if (host !== base.hostname) continue;
      if (path === `${at}/.well-known/openid-configuration`) {
        return {
          status: 200,
          type: "application/json",
          body: JSON.stringify(discovery(issuer, fault === "oidc-wrong-issuer")),
        };
      }
      if (path === `${at}/jwks/`) return { status: 200, type: "application/json", body: JSON.stringify(jwks) };
    }
    const page =
      site.pages.find((each) => each.host === host && each.path === path) ??
      site.pages.find((each) => each.host === host);
    const status = page?.status ?? 404;
    const body =
      status === 404 ? "404 page not found\n" : "<!doctype html><title>A page of the lab's HTTPS stand-in</title>\n";
    return {
      status,
      body,
      type: "text/html",
      ...(status >= 300 && status < 400 ? { location: `https://${host}/login` } : {}),
    };
  };
  const servers = await Promise.all(
    addresses.flatMap((address) => ports.map((port) => listen(address, port, site.certificates.good, respond))),
  );
  return {
    setFault: (next) => {
      fault = next;
      const { good, expired, wrongName } = site.certificates;
      const pair = next === "certificate-expired" ? expired : next === "certificate-wrong-name" ? wrongName : good;
      for (const server of servers) server.setSecureContext({ cert: pair.certificate, key: pair.key });
    },
    close: async () => {
      for (const server of servers) server.closeAllConnections();
      await Promise.all(servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))));
    },
  };
}

function listen(
  address: string,
  port: number,
  pair: KeyPair,
  respond: (host: string, path: string) => { status: number; body: string; type: string; location?: string },
): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer({ cert: pair.certificate, key: pair.key }, (request, response) => {
      const host = (request.headers.host ?? "").replace(/:\d+$/, "");
      const { status, body, type, location } = respond(host, (request.url ?? "/").split("?")[0]!);
      response.writeHead(status, {
        "content-type": type,
        "content-length": Buffer.byteLength(body),
        ...(location === undefined ? {} : { location }),
      });
      response.end(request.method === "HEAD" ? undefined : body);
    });
    server.on("tlsClientError", () => {}); // The client does not trust us: the probe says so, not the server.
    server.once("error", reject);
    server.listen(port, address, () => resolve(server));
  });
}

function discovery(issuer: string, wrong: boolean): Record<string, unknown> {
  const base = issuer.replace(/\/$/, "");
  return {
    issuer: wrong ? issuer.replace(/^https:\/\//, "https://old.") : issuer,
    authorization_endpoint: `${base}/authorize/`,
    token_endpoint: `${base}/token/`,
    userinfo_endpoint: `${base}/userinfo/`,
    jwks_uri: `${base}/jwks/`,
    response_types_supported: ["code"],
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: ["RS256"],
    scopes_supported: ["openid", "profile", "email"],
  };
}

function makeJwks(): unknown {
  const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2_048 });
  return { keys: [{ ...publicKey.export({ format: "jwk" }), kid: "lab-1", use: "sig", alg: "RS256" }] };
}
