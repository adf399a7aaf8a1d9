/** A new collection, filled from a dump beside everything that is in use, and read back. */
import { MemkeepError } from "../../domain/errors.ts";
import { readCollection } from "../format/read-collection.ts";
import type { DumpSource } from "../store.ts";
import { Upserts } from "./batches.ts";
import { segment } from "./client.ts";
import { indexType, isStorageIndex } from "./schema.ts";
import type { CollectionSchema } from "./schema.ts";
import { creationBody, settleBodies } from "./settings.ts";
import { isRefusal, refusalOf } from "./failure.ts";
import { expectFacts, pointOf, unwritable } from "./dump-contents.ts";
import type { DumpedCollection } from "./dump-contents.ts";
import { readShard, shardsOf } from "./read-points.ts";
import { RecordSum, digestsOfPoint, digestsOfRecord } from "./record-sum.ts";
import type { Server } from "./server.ts";
import { plainJson } from "./wire.ts";

/**
 * Creates the empty collection, and marks it with the alias `mark` where its name alone does not say that it is memkeep's.
 * A process that dies between the two leaves an empty collection.
 */
export async function createCollection(
  server: Server,
  collection: string,
  mark: string | undefined,
  schema: CollectionSchema,
): Promise<void> {
  const path = `/collections/${segment(collection)}`;
  try {
    await server.ask("PUT", path, creationBody(schema));
  } catch (error) {
    // The answer to an attempt before was lost: what is there is our own, empty collection.
    const isOwn = isRefusal(error, 409) && refusalOf(error)?.isRetry === true;
    if (!isOwn || (await server.count(collection, undefined)) > 0) throw error;
  }
  if (mark !== undefined) await server.changeAliases([{ alias: mark, collection }]);
  await createShardKeys(server, collection, schema.shardKeys ?? []);
  await createIndexes(server, collection, schema, true);
}

/** `shards` undefined: as many as the collection's settings say. */
export async function createShardKeys(
  server: Server,
  collection: string,
  shardKeys: NonNullable<CollectionSchema["shardKeys"]>,
): Promise<void> {
  for (const { key, shards } of shardKeys) {
    const number = shards === undefined || shards === 0 ? "" : `,"shards_number":${shards}`;
    try {
      await server.ask("PUT", `/collections/${segment(collection)}/shards`, `{"shard_key":${key}${number}}`);
    } catch (error) {
      if (refusalOf(error)?.isRetry !== true || !(await server.shardKeys(collection)).includes(key))
        throw error;
    }
  }
}

async function createIndexes(
  server: Server,
  collection: string,
  { payloadIndexes }: CollectionSchema,
  isBefore: boolean,
): Promise<void> {
  for (const field of Object.keys(payloadIndexes)) {
    const index = payloadIndexes[field]!;
    if (isStorageIndex(index) === isBefore) await server.createIndex(collection, field, index);
  }
}

/**
 * Fills the collection, builds its indexes and waits until the server is done. Rejects with `DUMP_DAMAGED` when the files
 * are not what the manifest says, `COMPARE_FAILED` when the server counts other points than were sent.
 */
export async function fillCollection(
  server: Server,
  collection: string,
  source: DumpSource,
  { name, files, schema }: DumpedCollection,
): Promise<RecordSum> {
  const { observer, name: scope, signal } = server.context;
  observer.step(scope, `writing ${name} to the new collection ${collection}`);
  const upserts = new Upserts(server, collection);
  const sum = new RecordSum();
  const counts = new Map<string | undefined, number>();
  try {
    for await (const batch of readCollection(source, files)) {
      signal.throwIfAborted();
      for (const record of batch) {
        const { digest, settled } = digestsOfRecord(record, files.file);
        sum.add(record.key, digest, settled);
        const point = pointOf(record, files.file);
        counts.set(point.shardKey, (counts.get(point.shardKey) ?? 0) + 1);
        const wait = upserts.add(point, point.shardKey);
        if (wait) await wait;
      }
      observer.progress(scope, upserts.sent, files.records, "records");
    }
    expectFacts(source, sum.facts(name), files.file);
    await upserts.finish();
  } catch (error) {
    await upserts.settle();
    throw unwritable(error, files.file);
  }
  await createIndexes(server, collection, schema, false);
  await expectIndexes(server, collection, schema);
  await server.change(collection, settleBodies(schema).optimizers);
  observer.step(scope, `waiting until ${collection} is optimised`);
  await server.waitUntil(collection, "green");
  for (const { reading } of shardsOf(collection, schema)) {
    const counted = await server.count(collection, reading.shardKey);
    const sent = counts.get(reading.shardKey) ?? 0;
    if (counted !== sent) throw lost(collection, reading.shardKey, sent, counted);
  }
  return sum;
}

/** A lost index is found here rather than by the first query that needs it. Parameters may be printed otherwise by another version. */
async function expectIndexes(
  server: Server,
  collection: string,
  { payloadIndexes }: CollectionSchema,
): Promise<void> {
  const made = (await server.state(collection)).payloadIndexes;
  const missing = Object.keys(payloadIndexes).filter(
    (field) => !Object.hasOwn(made, field) || indexType(made[field]!) !== indexType(payloadIndexes[field]!),
  );
  if (missing.length === 0) return;
  throw new MemkeepError("COMPARE_FAILED", {
    tried: `create the payload indexes of ${collection}`,
    happened: `the server does not have those on ${missing.map((field) => JSON.stringify(field)).join(", ")}`,
    next: "Nothing in use was changed. Look into the server's log, and run the restore again.",
  });
}

/** Strict mode, which would have limited the restore itself: the last thing that a new collection gets. */
export async function applyStrictMode(
  server: Server,
  collection: string,
  schema: CollectionSchema,
): Promise<void> {
  const { strict } = settleBodies(schema);
  if (strict !== undefined) await server.change(collection, strict);
}

/** Counts and digests of a collection as it lies on the server. For one that nobody writes to. */
export async function readFacts(
  server: Server,
  address: string,
  schema: CollectionSchema,
): Promise<RecordSum> {
  const sum = new RecordSum();
  const whole = await server.count(address, undefined);
  const shards = shardsOf(address, schema);
  for (const shard of shards) {
    const before = sum.count;
    const count = shards.length === 1 ? whole : await server.count(address, shard.reading.shardKey);
    await readShard(server, shard, count, (points) => {
      for (const point of points) {
        const { digest, settled } = digestsOfPoint(point);
        sum.add(Buffer.from(point.key), digest, settled);
      }
      server.context.observer.progress(server.context.name, sum.count, whole, "records");
    });
    const read = sum.count - before;
    if (read !== count) throw lost(address, shard.reading.shardKey, read, count);
  }
  return sum;
}

function lost(
  collection: string,
  shardKey: string | undefined,
  expected: number,
  counted: number,
): MemkeepError {
  const of = shardKey === undefined ? "" : ` under the shard key ${plainJson(shardKey)}`;
  return new MemkeepError("COMPARE_FAILED", {
    tried: `count the points of ${collection}${of}`,
    happened: `there should be ${expected}, the server counts ${counted}`,
    next: "Nothing in use was changed. Look into the server's log, and run the restore again.",
  });
}
