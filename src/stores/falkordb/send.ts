import { MemkeepError } from "../../domain/errors.ts";
import { isTooMuch, refused } from "./client.ts";
import type { Session } from "./client.ts";
import type { Reply } from "./resp.ts";

/** One row of one list of `[3, id]`. */
type IdRows = readonly [readonly [readonly [bigint, readonly (readonly [bigint, bigint])[]]]];

/**
 * Sends the query that `build` makes of a batch; the ids of its records, in order. A batch that is too much for the server's
 * time or memory, of which it then did nothing, is sent in halves.
 */
export async function send<Item>(
  parts: { readonly session: Session; readonly graph: Uint8Array },
  build: (batch: readonly Item[]) => Buffer,
  batch: readonly Item[],
): Promise<number[]> {
  const { session, graph } = parts;
  let reply: Reply;
  try {
    reply = await session.command("GRAPH.QUERY", graph, build(batch), "--compact");
  } catch (error) {
    if (!isTooMuch(error) || batch.length < 2) throw refused("write records into the graph", error);
    const middle = batch.length >> 1;
    const first = await send(parts, build, batch.slice(0, middle));
    return [...first, ...(await send(parts, build, batch.slice(middle)))];
  }
  return touchedIds(reply, batch.length);
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
