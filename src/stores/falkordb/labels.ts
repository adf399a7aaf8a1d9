import type { Session } from "./client.ts";

/** The labels that nodes have now, by id; a node that is gone is not in it. */
export async function labelsOf(
  { session, graph }: { readonly session: Session; readonly graph: Uint8Array },
  ids: readonly number[],
): Promise<ReadonlyMap<number, readonly string[]>> {
  const found = new Map<number, readonly string[]>();
  // One row, whatever RESULTSET_SIZE is.
  const query = `CYPHER ids=[${ids.join()}] UNWIND $ids AS i MATCH (n) WHERE id(n) = i RETURN collect([i, labels(n)])`;
  const [, rows] = (await session.scalar(graph, query)) as [bigint, readonly CompactRow[]];
  for (const [, [[, id], [, labels]]] of rows) {
    found.set(
      Number(id),
      labels.map(([, label]) => label.toString("utf8")),
    );
  }
  return found;
}

/** `[6, [[3, id], [6, [[2, label], …]]]]` */
type CompactRow = readonly [
  bigint,
  readonly [readonly [bigint, bigint], readonly [bigint, readonly (readonly [bigint, Buffer])[]]],
];
