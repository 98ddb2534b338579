import { lookup, promises } from "node:dns";
import type { House } from "../../core/config/house.ts";
import type { NameSight, Resolved } from "../../core/doctor/examination.ts";

/** A resolver that has not answered by then is not waited for; libc alone would take up to 30 s. */
const PATIENCE_MS = 2_500;
const NAMES_MAX = 8;

/** Resolves the names of the https and oidc checks as programs on this machine do: by libc, and by c-ares as Home Assistant does. */
export async function lookAtNames(house: House): Promise<readonly NameSight[]> {
  const wanted = new Map<string, Set<string>>();
  for (const target of house.targets) {
    for (const check of target.checks) {
      const name = check.kind === "https" ? check.host : check.kind === "oidc" ? new URL(check.issuer).hostname : null;
      if (name === null || wanted.size >= NAMES_MAX) continue;
      wanted.set(name, new Set([...(wanted.get(name) ?? []), ...target.addresses]));
    }
  }
  return await Promise.all(
    [...wanted].map(async ([name, addresses]) => {
      const [libc, cares] = await Promise.all([byLibc(name), byCares(name)]);
      return { name, wanted: [...addresses], libc, cares };
    }),
  );
}

function byLibc(name: string): Promise<Resolved> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(silent), PATIENCE_MS);
    lookup(name, { all: true }, (error, found) => {
      clearTimeout(timer);
      resolve(error === null ? { ok: true, addresses: found.map(({ address }) => address) } : failed(error));
    });
  });
}

async function byCares(name: string): Promise<Resolved> {
  const resolver = new promises.Resolver({ timeout: 1_000, tries: 2 });
  const timer = setTimeout(() => resolver.cancel(), PATIENCE_MS);
  const [v4, v6] = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
  clearTimeout(timer);
  const addresses = [...(v4.status === "fulfilled" ? v4.value : []), ...(v6.status === "fulfilled" ? v6.value : [])];
  if (addresses.length > 0) return { ok: true, addresses };
  return v4.status === "rejected" ? failed(v4.reason) : silent;
}

const silent: Resolved = { ok: false, absent: false, detail: "no answer" };

function failed(error: unknown): Resolved {
  const code = (error as NodeJS.ErrnoException).code ?? "failed";
  return { ok: false, absent: code === "ENOTFOUND" || code === "ENODATA", detail: code };
}
