import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** A question of SelfSubjectAccessReview, as Kubernetes gets it. */
export interface Asked {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly namespace?: string;
  readonly name?: string;
}

/** A stand-in for the Kubernetes API with one secret, and with rights that the test decides. Two tokens: an administrator's and the host's. */
export interface RightsStandIn {
  readonly url: string;
  /** By "namespace/name". */
  readonly secrets: Map<string, Readonly<Record<string, string>>>;
  allows: (asked: Asked) => boolean;
  /** Reviews that the host's token asked for. */
  readonly asked: Asked[];
  readonly close: () => void;
}

export const ADMIN_TOKEN = "the-administrator-of-the-stand-in";
export const HOST_TOKEN = "the-host-of-the-stand-in";
export const AUTHORITY = Buffer.from("-----BEGIN CERTIFICATE-----\nof the stand-in\n").toString("base64");

export async function startRightsStandIn(): Promise<RightsStandIn> {
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => {
      body += text;
    });
    request.on("end", () => {
      const [status, answer] = answerTo(request.method ?? "", request.url ?? "", request.headers.authorization, body);
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(answer));
    });
  });
  const answerTo = (
    method: string,
    path: string,
    authorization: string | undefined,
    body: string,
  ): [number, object] => {
    const isAdmin = authorization === `Bearer ${ADMIN_TOKEN}`;
    if (!isAdmin && authorization !== `Bearer ${HOST_TOKEN}`) return [401, { message: "Unauthorized" }];
    const secret = /^\/api\/v1\/namespaces\/([^/]+)\/secrets\/([^/]+)$/.exec(path);
    if (method === "GET" && secret !== null) {
      if (!isAdmin) return [403, { message: "secrets is forbidden" }];
      const data = standIn.secrets.get(`${secret[1]}/${secret[2]}`);
      return data === undefined ? [404, { message: `secrets "${secret[2]}" not found` }] : [200, { data }];
    }
    if (method === "POST" && path === "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews") {
      const { spec } = JSON.parse(body) as { spec: { resourceAttributes: Asked } };
      standIn.asked.push(spec.resourceAttributes);
      return [201, { status: { allowed: isAdmin || standIn.allows(spec.resourceAttributes) } }];
    }
    return [404, { message: "the stand-in knows no such path" }];
  };
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const standIn: RightsStandIn = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    secrets: new Map(),
    allows: () => false,
    asked: [],
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
  return standIn;
}
