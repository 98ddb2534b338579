import type { House } from "../core/config/house.ts";
import type { Components } from "../core/mqtt/components.ts";
import { discoveryPayload, gone, type Published, removalOf } from "../core/mqtt/discovery.ts";
import { topicsOf } from "../core/mqtt/topics.ts";
import { type Millis, SECOND } from "../core/units.ts";
import type { Broker, Clock, Publication } from "./hub-ports.ts";

/**
 * Between two discoveries of which the second takes something back: Home Assistant drops what comes while it still sets up the
 * first (mqtt/discovery.py, "queuing update").
 */
const SETTLE: Millis = 5 * SECOND;

interface Parts {
  readonly house: House;
  readonly version: string;
  readonly clock: Clock;
  readonly remembered: (key: string) => unknown;
  readonly remember: (key: string, value: unknown) => void;
}

/**
 * Keeps the retained discovery true. What left the configuration is taken back by name, also when the hub was restarted in between:
 * that is why what was published is remembered. A Home Assistant that was away then gets it once more after its next start.
 */
export function createDiscovery(
  { house, version, clock, remembered, remember }: Parts,
  { name, settings }: Broker,
  components: Components,
  retain: (publication: Publication) => void,
) {
  const key = `mqtt ${name}`;
  const { discovery: topic } = topicsOf({ ...settings, site: house.site });
  const broker = settings.url.replace(/^(\w+:\/\/)[^@/]*@/, "$1");
  let cancel = () => {};
  let isBusy = false;

  const publish = (removed: Components): void =>
    retain({
      topic,
      payload: discoveryPayload(house, settings, version, components, removed),
      retain: true,
      expiry: null,
    });
  const known = (): Published | null => (remembered(key) as Published | null) ?? null;

  function save(removed: Components): void {
    const before = known();
    const after: Published = { broker, topic, components, removed };
    if (JSON.stringify(before) !== JSON.stringify(after)) remember(key, after);
  }

  /** Runs each step in its time; a new sequence calls an old one off. */
  function inTurn(steps: readonly (() => void)[]): void {
    cancel();
    const [first, ...rest] = steps;
    if (first === undefined) return;
    first();
    if (rest.length > 0) cancel = clock.after(SETTLE, () => inTurn(rest));
  }

  return {
    isBusy: () => isBusy,
    /** After a connect. `then` follows the discovery, since nothing is known before it. */
    announce(then: () => void): void {
      const { removed, leftTopic } = removalOf(known(), broker, topic, components);
      save(removed);
      isBusy = leftTopic !== null;
      const begin = () => {
        isBusy = false;
        publish(gone(removed));
        then();
      };
      if (leftTopic !== null) {
        // The same entities on another topic: first they have to be gone there.
        inTurn([() => retain({ topic: leftTopic, payload: "", retain: true, expiry: null }), begin]);
      } else if (Object.keys(removed).length > 0) inTurn([begin, () => publish({})]);
      else inTurn([begin]);
    },
    /** After Home Assistant's birth: what was taken back while it was away is shown once more, and then taken back. */
    repeat(then: () => void): void {
      const removed = known()?.removed ?? {};
      isBusy = false;
      const begin = () => {
        publish(removed);
        then();
      };
      const end = () => {
        publish({});
        save({});
      };
      inTurn(Object.keys(removed).length === 0 ? [begin] : [begin, () => publish(gone(removed)), end]);
    },
    stop: () => cancel(),
  };
}
