/** What a vantage's own page shows: one form for the engine that fills it and the hook that draws it. */

export interface ViewedCheck {
  readonly id: string;
  readonly ok: boolean;
  readonly failure: string | null;
  readonly detail: string | null;
  readonly ms: number | null;
  readonly mac: string | null;
  readonly observed_at: string;
}

/** `waiting`: not a word since this process started. `refuses`: it answers, and does not know this vantage's key. */
export interface ViewedHub {
  readonly url: string;
  readonly state: "answers" | "silent" | "refuses" | "waiting";
  /** When it last answered as it should. */
  readonly answered_at: string | null;
  readonly detail: string | null;
}

/** Home Assistant's broker as the supervisor offers it; its password is never read. */
export interface ViewedBroker {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  readonly username: string | null;
}

export interface VantageView {
  readonly site: string;
  readonly vantage: string;
  readonly version: string;
  /** Null until there is a plan. */
  readonly schedule: string | null;
  readonly control_ok: boolean | null;
  readonly targets: readonly { readonly name: string; readonly checks: readonly ViewedCheck[] }[];
  readonly hub: ViewedHub;
  readonly broker: ViewedBroker | null;
  /** Whether Home Assistant shows a notification that the hub is gone. */
  readonly told: boolean;
  readonly heal_button: boolean;
}

/** The part of the hub's GET /v1/status that the page shows; everything in it comes from the network. */
export interface HubStatus {
  readonly state: string;
  readonly cause: string | null;
  readonly summary: string;
  readonly since: string | null;
  readonly heal: { readonly mode: string | null; readonly state: string | null; readonly held_by: string | null };
}

/** What became of a press of "Heal now". `status` is the hub's, or 502 when it did not answer. */
export interface HealOutcome {
  readonly status: number;
  readonly state: string;
  readonly id: string | null;
  readonly detail: string;
  readonly advice: string | null;
}
