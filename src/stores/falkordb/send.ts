import { MemkeepError } from "../../domain/errors.ts";
import { refused } from "./client.ts";
import type { Session } from "./client.ts";
import type { Reply } from "./resp.ts";

/** One row of one list of `[3, id]`. */
type IdRows = readonly [readonly [readonly [bigint, readonly (readonly [bigint, bigint])[]]]];

/** Sends a query of `write-batch.ts` that is to touch `count` records; their ids, in the order of the batch. */
export async function send(
  { session, graph }: { readonly session: Session; readonly graph: Uint8Array },
  query: Buffer,
  count: number,
): Promise<number[]> {
  let reply: Reply;
  try {
    reply = await session.command("GRAPH.QUERY", graph, query, "--compact");
  } catch (error) {
    throw refused("write records into the graph", error);
  }
  return touchedIds(reply, count);
}

/** The ids that such a query answers. `COMPARE_FAILED` when there are more or fewer than it should have touched. */
export function touchedIds(reply: Reply, count: number): number[] {
  const [, [[[, items]]]] = reply as readonly [Reply, IdRows];
  if (items.length !== count) {
    throw new MemkeepError("COMPARE_FAILED", {
      tried: "write records into the graph",
      happened: `the server wrote ${items.length} of ${count} records`,
    });
  }
  return items.map(([, id]) => Number(id));
}
