/**
 * A collection's ids in ranges that are read at the same time. The server tells neither the largest id nor how ids are
 * spread, so both are felt out by pages of one id: UUIDs of version 4 and running numbers are spread evenly.
 */
import type { Reading } from "./page.ts";
import { firstUuid, idAt, positionOf } from "./point-id.ts";
import type { Server } from "./server.ts";

/** From the first id, up to the second and without it; undefined: from the beginning, to the end. */
export interface IdRange {
  readonly from: string | undefined;
  readonly to: string | undefined;
}

export const wholeRange: IdRange = { from: undefined, to: undefined };

/** Fewer points are read in one go. */
const worthSplitting = 20_000;
const rangesPerConnection = 4;
/** Halvings to find the end of the ids: it is then known to a millionth. */
const probes = 20;
const lastPosition = firstUuid + 2n ** 128n - 1n;

/** Ranges that together hold every id, in order. Each has some thousand points, when ids are spread evenly. */
export async function splitIds(
  server: Server,
  name: string,
  reading: Reading,
  count: number,
): Promise<readonly IdRange[]> {
  const parts = server.config.connections * rangesPerConnection;
  if (count < worthSplitting || server.config.connections === 1) return [wholeRange];
  async function nextAfter(position: bigint): Promise<bigint | undefined> {
    const { page } = await server.scroll(name, idAt(position), 1, reading, true);
    const id = page.points[0]?.id;
    return id === undefined ? undefined : positionOf(id);
  }
  async function lastIn(from: bigint, to: bigint): Promise<bigint> {
    let low = from;
    let high = to;
    for (let probe = 0; probe < probes && low < high; probe++) {
      const middle = (low + high + 1n) / 2n;
      const found = await nextAfter(middle);
      if (found !== undefined && found <= to) low = found;
      else high = middle - 1n;
    }
    return low;
  }
  const bounds: bigint[] = [];
  async function cut(from: bigint, to: bigint): Promise<void> {
    const first = await nextAfter(from);
    if (first === undefined || first > to) return;
    const last = await lastIn(first, to);
    const step = (last - first) / BigInt(parts) + 1n;
    for (let bound = first; bound <= last; bound += step) bounds.push(bound);
  }
  await cut(0n, firstUuid - 1n);
  await cut(firstUuid, lastPosition);
  // The first bound is the first id: what comes before it meanwhile belongs to the first range.
  const inner = bounds.slice(1).map(idAt);
  return [undefined, ...inner].map((from, index) => ({ from, to: inner[index] }));
}
