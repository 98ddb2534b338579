import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { askReports, askStatus, hubOfConfig, hubOfJoin } from "../../src/cli/doctor-hub.ts";
import { purposeKey } from "../../src/core/purpose-key.ts";
import { verify } from "../../src/core/standard-webhooks.ts";
import { hmac } from "../../src/runtime/node/hmac.ts";
import { houseOf } from "../support/house.ts";

const KEY = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
const STATUS = {
  site: "attic",
  state: "ok",
  cause: null,
  summary: "All 2 addresses are fine.",
  since: null,
  advice: null,
  evidence: [],
  groups: {},
  targets: {},
  vantages: {},
  heal: { host: "armed" },
};

const directory = mkdtempSync(join(tmpdir(), "hairpin-doctor-hub-"));
const servers: Server[] = [];
after(() => {
  for (const server of servers) server.close().closeAllConnections();
  rmSync(directory, { recursive: true });
});

async function listening(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function joinFile(hub: string): string {
  const file = join(directory, "join");
  const token = Buffer.from(JSON.stringify({ hub, site: "attic", vantage: "guest", key: KEY })).toString("base64url");
  writeFileSync(file, `hairpin1.${token}\n`, { mode: 0o600 });
  return file;
}

test("A vantage reads a private hub with its own key for reading, and never sends the key itself", async () => {
  const read = await purposeKey(KEY, "read", hmac);
  const url = await listening(async (request, response) => {
    const headers = new Headers(request.headers as Record<string, string>);
    const signed = await verify([read], headers, "", Date.now() / 1_000, hmac);
    const whole = JSON.stringify(request.headers);
    response.statusCode = signed.ok && request.url === "/v1/status" && !whole.includes(KEY.slice(6)) ? 200 : 401;
    response.end(JSON.stringify(signed.ok ? STATUS : { detail: "no" }));
  });
  const sight = await askStatus(await hubOfJoin(joinFile(url)));
  assert.ok(sight.kind === "answered", JSON.stringify(sight));
  assert.equal(sight.says.summary, "All 2 addresses are fine.");
});

test("A hub that hangs is not waited for, and one that is not there is said in words", async () => {
  const hanging = await listening(() => {});
  const asked = { socketPath: null, url: hanging, token: null, patience: 50 };
  assert.deepEqual(await askStatus(asked), { kind: "silent", address: hanging, detail: "no answer in 0.05 s" });
  const broken = await listening((_, response) => {
    response.writeHead(200, { "content-length": "1000" });
    response.write("{");
    setTimeout(() => response.destroy(), 10);
  });
  assert.equal((await askStatus({ ...asked, url: broken, patience: 3_000 })).kind, "silent");
  assert.equal(await askReports({ ...asked, url: broken }), null);
  const absent = { ...asked, socketPath: join(directory, "hub.sock"), patience: 3_000 };
  const sight = await askStatus(absent);
  assert.ok(sight.kind === "silent" && /its socket is not there/.test(sight.detail), JSON.stringify(sight));
});

test("What wants a token, and what is no hub, is not taken for one", async () => {
  const url = await listening((_, response) => {
    response.statusCode = 401;
    response.end(JSON.stringify({ title: "Unauthorized", detail: "no token" }));
  });
  const sight = await askStatus({ socketPath: null, url, token: null });
  assert.ok(sight.kind === "refused" && sight.detail === "it answered 401 (no token)", JSON.stringify(sight));
  assert.match(sight.advice, /--token-file/);
  const page = await listening((_, response) => response.end(JSON.stringify({ state: "running" })));
  assert.equal((await askStatus({ socketPath: null, url: page, token: null })).kind, "refused");
});

test("Without a join token nobody is asked, and it is said what to give", async () => {
  const sight = await askStatus(await hubOfJoin(join(directory, "none")));
  assert.ok(sight.kind === "not_asked" && sight.advice.includes("--join-file"), JSON.stringify(sight));
  writeFileSync(join(directory, "bad"), "hairpin1.AAAAAAAAAAAAAAAAAAAAAAAA");
  assert.equal((await askStatus(await hubOfJoin(join(directory, "bad")))).kind, "not_asked");
});

test("Away from the hub's machine its URL is dialled, there its socket", async () => {
  const file = join(directory, "hairpin.yaml");
  for (const name of ["a", "token"]) writeFileSync(join(directory, name), `${KEY}\n`, { mode: 0o600 });
  const hub = {
    listen: "unix:/run/hairpin/hub.sock",
    url: "http://10.9.8.1:8787",
    tokens: [{ name: "t", scopes: ["read"], token_file: "token" }],
  };
  writeFileSync(
    file,
    JSON.stringify({ site: "attic", targets: {}, vantages: { guest: { where: "vm", key_file: "a" } }, hub }),
  );
  chmodSync(file, 0o600);
  const house = { ...houseOf(), hub: { ...houseOf().hub, ...hub } } as ReturnType<typeof houseOf>;
  const there = await hubOfConfig(house, file, true);
  assert.ok("socketPath" in there && there.socketPath === "/run/hairpin/hub.sock");
  const afar = await hubOfConfig(house, file, false);
  assert.ok("socketPath" in afar && afar.socketPath === null && afar.url === "http://10.9.8.1:8787");
  assert.equal(afar.token, KEY);
});
