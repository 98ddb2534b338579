import type { Edge } from "./edges.ts";

/** One promise of the edge, kept on each runtime. */
export interface Case {
  readonly name: string;
  readonly run: (edge: Edge) => Promise<void>;
}
