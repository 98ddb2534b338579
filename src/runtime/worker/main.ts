import manifest from "../../../package.json" with { type: "json" };
import { edgeApp } from "../../hooks/edge.ts";

/** The edge verifier on Cloudflare Workers. */
const app = edgeApp({ version: manifest.version });

export default { fetch: app.fetch } satisfies ExportedHandler;
