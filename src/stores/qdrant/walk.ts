/** A dumped collection and a live one side by side, in the order of keys: memory does not grow with the data. */
import { readCollection } from "../format/read-collection.ts";
import type { DumpedRecord } from "../format/read-collection.ts";
import type { DumpSource, KeyDigest } from "../store.ts";
import type { DumpedCollection } from "./dump-contents.ts";
import { sortedKeys } from "./keys.ts";
import { RecordSum, digestsOfPoint, digestsOfRecord } from "./record-sum.ts";
import type { CollectionSchema } from "./schema.ts";
import type { Server } from "./server.ts";

export interface Walked {
  readonly key: Buffer;
  /** The dump's record. */
  readonly record: DumpedRecord | undefined;
  /** The live record's digest, with settled numbers. */
  readonly digest: Uint8Array | undefined;
}

export interface Sides {
  readonly server: Server;
  /** The live collection's name or alias. */
  readonly address: string;
  readonly schema: CollectionSchema;
  readonly source: DumpSource;
  readonly dumped: DumpedCollection;
  /** Begins the names of spool files. */
  readonly stem: string;
}

/** All keys of both sides, each once. */
export async function* walkBoth({
  server,
  address,
  schema,
  source,
  dumped,
  stem,
}: Sides): AsyncGenerator<Walked> {
  const there = flat<KeyDigest>(
    sortedKeys(server, address, schema, stem, (point) => digestsOfPoint(point).settled),
  );
  const records = flat<DumpedRecord>(readCollection(source, dumped.files));
  try {
    let left = await records.next();
    let right = await there.next();
    while (left.done !== true || right.done !== true) {
      const order =
        left.done === true ? 1 : right.done === true ? -1 : Buffer.compare(left.value.key, right.value.key);
      const record = order <= 0 && left.done !== true ? left.value : undefined;
      const digest = order >= 0 && right.done !== true ? right.value : undefined;
      yield { record, digest: digest?.digest, key: record?.key ?? Buffer.from(digest!.key) };
      if (order <= 0) left = await records.next();
      if (order >= 0) right = await there.next();
    }
  } finally {
    await records.return(undefined);
    await there.return(undefined);
  }
}

async function* flat<T>(batches: AsyncIterable<readonly T[]>): AsyncGenerator<T, undefined, undefined> {
  for await (const batch of batches) yield* batch;
  return undefined;
}

/** What tells two sides apart, by records. */
export interface Distance {
  readonly missing: number;
  readonly other: number;
  readonly equal: number;
  /** There, and not in the dump. */
  readonly extra: number;
  /** Some keys of each kind, for people. */
  readonly examples: { readonly missing: string[]; readonly other: string[]; readonly extra: string[] };
  /** Counts and digests of the live side, with settled numbers. */
  readonly live: RecordSum;
}

const exampleCount = 5;

/** Counts what is missing, other and extra on the live side. Changes nothing. */
export async function distanceOf(sides: Sides): Promise<Distance> {
  const counts = { missing: 0, other: 0, equal: 0, extra: 0 };
  const examples = { missing: [] as string[], other: [] as string[], extra: [] as string[] };
  const live = new RecordSum();
  const { file } = sides.dumped.files;
  for await (const { key, record, digest } of walkBoth(sides)) {
    sides.server.context.signal.throwIfAborted();
    if (digest) live.add(key, digest, digest);
    const kind = !digest
      ? "missing"
      : !record
        ? "extra"
        : digestsOfRecord(record, file).settled.equals(digest)
          ? "equal"
          : "other";
    counts[kind]++;
    if (kind !== "equal" && examples[kind].length < exampleCount) examples[kind].push(key.toString());
  }
  return { ...counts, examples, live };
}
