import type { FailureCode } from "../failure.ts";
import { everything, failedLooks, of, type Row } from "./finding.ts";
import { FACT_STANDS } from "./link-rows.ts";
import { contradicts, failures, isServedBeside, wasRefused } from "./scene.ts";
import * as say from "./sentences.ts";

export const lanPath: Row = (scene) => {
  const lan = scene.house.vantages.filter((vantage) => vantage.where === "lan" || vantage.where === "routed");
  const isBad = (name: string) =>
    scene.silent.some((vantage) => vantage.name === name) ||
    failedLooks(scene).some((look) => look.vantage.name === name);
  const bad = lan.filter((vantage) => isBad(vantage.name));
  const cut = scene.stood("uplink_down", FACT_STANDS);
  const cutSeen = cut && (bad.length > 0 || scene.silent.length > 0 || failedLooks(scene).length > 0);
  const vmFine = scene.looks.some(
    (look) =>
      look.vantage.where === "vm" && look.good && failedLooks(scene).some((failed) => contradicts(scene, look, failed)),
  );
  const lanFails =
    lan.length > 0 && lan.every((vantage) => failedLooks(scene).some((look) => look.vantage.name === vantage.name));
  if (!cutSeen && !(lanFails && vmFine && !failedLooks(scene).some((look) => look.vantage.where === "vm"))) return null;
  const finding = everything(
    scene,
    "lan_path",
    say.lanEvidence(
      scene,
      bad.map((vantage) => vantage.name),
      cut,
    ),
  );
  return { ...finding, vantages: [...new Set([...finding.vantages, ...bad.map((vantage) => vantage.name)])] };
};

export const siteNetwork: Row = (scene) => {
  const offHost = scene.house.vantages.filter((vantage) => vantage.where !== "host" && !vantage.muted);
  const bad = offHost.filter((vantage) => {
    const seen = scene.view.vantages[vantage.name];
    return seen?.control === false && seen.at !== null && scene.now - seen.at <= scene.view.freshFor;
  });
  if (bad.length === 0 || bad.length * 2 < offHost.length) return null;
  const finding = everything(
    scene,
    "site_network",
    say.controlEvidence(
      scene,
      bad.map((vantage) => vantage.name),
    ),
  );
  return { ...finding, vantages: bad.map((vantage) => vantage.name) };
};

export const vmPath: Row = (scene) => {
  const failed = failedLooks(scene);
  const lanFine = scene.looks.some(
    (look) => look.vantage.where === "lan" && look.good && failed.some((bad) => contradicts(scene, look, bad)),
  );
  return failed.length > 0 && lanFine && failed.every((look) => look.vantage.where === "vm")
    ? of("vm_path", failed, failed.map(say.failed))
    : null;
};

/** Looks whose checks fail only with time-outs although the right MAC answers. */
export const notForwarded: Row = (scene) => {
  const failed = failedLooks(scene);
  const timeouts = failed.filter((look) => {
    const bad = failures(look).filter(
      ({ check, sample }) => check.kind !== "neighbour" && sample.evidence.upstream !== true,
    );
    const right =
      look.answers !== null
        ? look.answers.includes(scene.linkMac ?? "") || (scene.linkMac === null && look.answers.length > 0)
        : look.tableMac !== null && look.tableMac === scene.linkMac;
    const timesOut: readonly FailureCode[] = ["no_reply", "unreachable"];
    const answering = look.checks.some((check) => check.kind !== "neighbour" && check.samples.at(-1)?.ok === true);
    return right && !answering && bad.length > 0 && bad.every(({ sample }) => timesOut.includes(sample.failure!));
  });
  const refusedSomewhere = failed.some((look) => wasRefused(look)) || isServedBeside(scene);
  return timeouts.length > 0 && !refusedSomewhere
    ? of("not_forwarded", timeouts, [...timeouts.map(say.failed), ...say.forwardingEvidence(scene)])
    : null;
};

export const disputed: Row = (scene) => {
  const failed = failedLooks(scene);
  const others = scene.looks.filter((look) => look.good && failed.some((bad) => contradicts(scene, look, bad)));
  return failed.length > 0 && others.length > 0
    ? of("disputed", failed, [...failed.map(say.failed), ...others.map(say.fine)])
    : null;
};

export const unclassified: Row = (scene) => {
  const failed = failedLooks(scene);
  return failed.length > 0 ? of("unclassified", failed, failed.map(say.failed)) : null;
};
