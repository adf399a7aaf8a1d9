import { MemkeepError } from "../../domain/errors.ts";
import type { Session } from "./client.ts";
import type { FalkorDBConfig } from "./config.ts";

/** `STORE_MISSING` where the server has no such graph, `STORE_UNREADABLE` where the key is something else. */
export async function requireGraph(session: Session, name: string, config: FalkorDBConfig): Promise<void> {
  const type = await session.ask("TYPE", name);
  if (String(type) === "graphdata") return;
  const isMissing = String(type) === "none";
  throw new MemkeepError(isMissing ? "STORE_MISSING" : "STORE_UNREADABLE", {
    tried: `read the graph ${JSON.stringify(name)}`,
    happened: isMissing ? "the server has no graph of that name" : "that key holds something else",
    next: `Check \`graph\` in the configuration of ${new URL(config.url).host}.`,
  });
}
