import edge, { Fleet as EdgeFleet, Site as EdgeSite } from "../../src/runtime/worker/main.ts";
import { durableSql } from "../../src/runtime/worker/store.ts";

/** The edge as it is deployed, with a tally beside it: what the platform would put on the bill, by its own cursor.rowsWritten. */
interface Tally {
  requests: number;
  alarms: number;
  rows: number;
}

const tallies = new WeakMap<object, Tally>();

function tallyOf(object: object): Tally {
  const known = tallies.get(object) ?? { requests: 0, alarms: 0, rows: 0 };
  tallies.set(object, known);
  return known;
}

export class Fleet extends EdgeFleet {}

export class Site extends EdgeSite {
  protected override sql() {
    const tally = tallyOf(this);
    return durableSql(this.ctx.storage, (rows) => {
      tally.rows += rows;
    });
  }

  override async alarm(): Promise<void> {
    tallyOf(this).alarms++;
    await super.alarm();
  }

  override heartbeat(...signed: Parameters<EdgeSite["heartbeat"]>) {
    tallyOf(this).requests++;
    return super.heartbeat(...signed);
  }

  async tally(): Promise<Tally> {
    return { ...tallyOf(this) };
  }
}

interface Bench {
  readonly SITES: DurableObjectNamespace<Site>;
}

export default {
  async fetch(request: Request, env: unknown, context: ExecutionContext): Promise<Response> {
    const site = /\/tally\/([a-z0-9-]+)$/.exec(request.url)?.[1];
    if (site !== undefined) return Response.json(await (env as Bench).SITES.getByName(site).tally());
    return edge.fetch(request as never, env as never, context);
  },
  scheduled: edge.scheduled,
};
