/** Walks dumped and living records together, in the order of their keys, and says which belong together. */
import { contentDigest } from "../format/digest.ts";
import type { DumpedRecord } from "../format/read-collection.ts";

/** A living record; `tie` is its id. */
export interface Living {
  readonly key: Buffer;
  readonly digest: Uint8Array;
  readonly tie: number;
}

export interface Dumped {
  readonly record: DumpedRecord;
  readonly digest: Buffer;
  /** Its place among the dumped records of its key, from 0. */
  readonly ordinal: number;
}

export type Pair =
  | { readonly kind: "same" | "different"; readonly dumped: Dumped; readonly living: Living }
  | { readonly kind: "missing"; readonly dumped: Dumped; readonly living?: never }
  | { readonly kind: "extra"; readonly living: Living; readonly dumped?: never };

/**
 * Records of equal content are one; what is left of one key is taken in order, each with the next. Both sides come in the
 * order of key and digest, and only what is left of one key is held.
 */
export async function* pairUp(
  dump: AsyncIterable<readonly DumpedRecord[]>,
  live: AsyncIterable<readonly Living[]>,
): AsyncGenerator<Pair> {
  const dumped = numbered(dump);
  const living = flat(live);
  try {
    let left = await dumped.next();
    let right = await living.next();
    let lonely: { dumped: Dumped[]; living: Living[] } = { dumped: [], living: [] };
    while (left.done !== true || right.done !== true) {
      const key = lowest(
        left.done === true ? undefined : left.value,
        right.done === true ? undefined : right.value,
      );
      const inLeft = left.done !== true && left.value.record.key.equals(key) ? left.value : undefined;
      const inRight = right.done !== true && right.value.key.equals(key) ? right.value : undefined;
      const order = !inLeft ? 1 : !inRight ? -1 : Buffer.compare(inLeft.digest, inRight.digest);
      if (order === 0) yield { kind: "same", dumped: inLeft!, living: inRight! };
      else if (order < 0 && !inRight && lonely.living.length === 0)
        yield { kind: "missing", dumped: inLeft! };
      else if (order > 0 && !inLeft && lonely.dumped.length === 0) yield { kind: "extra", living: inRight! };
      else if (order < 0) lonely.dumped.push(inLeft!);
      else lonely.living.push(inRight!);
      if (order <= 0) left = await dumped.next();
      if (order >= 0) right = await living.next();
      const goesOn =
        (left.done !== true && left.value.record.key.equals(key)) ||
        (right.done !== true && right.value.key.equals(key));
      if (goesOn || (lonely.dumped.length === 0 && lonely.living.length === 0)) continue;
      yield* settle(lonely);
      lonely = { dumped: [], living: [] };
    }
  } finally {
    await dumped.return(undefined);
    await living.return(undefined);
  }
}

function* settle(lonely: {
  readonly dumped: readonly Dumped[];
  readonly living: readonly Living[];
}): Generator<Pair> {
  const { dumped, living } = lonely;
  for (let at = 0; at < Math.max(dumped.length, living.length); at++) {
    const [one, other] = [dumped[at], living[at]];
    if (one && other) yield { kind: "different", dumped: one, living: other };
    else if (one) yield { kind: "missing", dumped: one };
    else yield { kind: "extra", living: other! };
  }
}

function lowest(left: Dumped | undefined, right: Living | undefined): Buffer {
  if (!left) return right!.key;
  if (!right) return left.record.key;
  return Buffer.compare(left.record.key, right.key) <= 0 ? left.record.key : right.key;
}

async function* numbered(
  dump: AsyncIterable<readonly DumpedRecord[]>,
): AsyncGenerator<Dumped, undefined, undefined> {
  let before: Buffer | undefined;
  let ordinal = 0;
  for await (const batch of dump) {
    for (const record of batch) {
      ordinal = before?.equals(record.key) === true ? ordinal + 1 : 0;
      before = record.key;
      yield { record, digest: contentDigest(record.line, record.vectors), ordinal };
    }
  }
  return undefined;
}

async function* flat(live: AsyncIterable<readonly Living[]>): AsyncGenerator<Living, undefined, undefined> {
  for await (const batch of live) yield* batch;
  return undefined;
}
