import type { HairpinEvent } from "../../src/core/event.ts";
import type { App } from "./app.ts";
import type { HomeAssistant, Inputs } from "./home-assistant/real.ts";
import { askHub } from "./house.ts";
import { until } from "./steps.ts";

/** A report as the automation had it in its hands, and when. */
export interface Seen {
  readonly at: number;
  readonly event: string;
  readonly target: string;
  readonly delivery_id: string;
  readonly incident: string | null;
}

export interface Stage {
  readonly pid: number;
  readonly home: HomeAssistant;
  readonly seen: readonly Seen[];
  readonly inputs: Inputs;
  /** How long Home Assistant is away during an incident. */
  readonly downMs: number;
  readonly restartBroker: () => Promise<void>;
  readonly pictures: ((what: "bell" | "device" | "dashboard") => Promise<void>) | null;
  /** The app of Home Assistant, which is the vantage ha-vm of this house. */
  readonly app: App;
  /** Where the picture of its page goes; null: nowhere. */
  readonly pagePicture: string | null;
}

export interface Status {
  readonly state: string;
  readonly heal: { readonly last: { readonly id: string; readonly outcome: string } | null };
}
export const statusOf = (pid: number) => askHub<Status>(pid, "GET", "/v1/status");
export const eventsOf = async (pid: number) =>
  (await askHub<{ events: HairpinEvent[] }>(pid, "GET", "/v1/events?after=0")).events;

export interface Row {
  readonly id: string;
  readonly subscriber: string;
  readonly kind: string;
  readonly state: string;
}
export const deliveriesOf = async (pid: number) =>
  (await askHub<{ deliveries: Row[] }>(pid, "GET", "/v1/deliveries")).deliveries.filter(
    ({ subscriber }) => subscriber === "home-assistant",
  );

export const green = (pid: number) =>
  until(
    "green house",
    async () => (await statusOf(pid)).state === "ok",
    120_000,
    () => statusOf(pid),
  );
export const shown = async (home: HomeAssistant, wanted: (id: string, title: string) => boolean) =>
  [...(await home.bell())].find(([id, { title }]) => wanted(id, title)) ?? null;
/** The notification of an outage, which has its incident for a name; a test stands under the same bell. */
export const alertShown = (home: HomeAssistant) => shown(home, (id) => /^hairpin_.*inc/.test(id));
export const noAlert = (home: HomeAssistant) =>
  until(
    "empty bell",
    async () => (await shown(home, (id) => id.startsWith("hairpin_"))) === null,
    60_000,
    async () => [...(await home.bell())],
  );
