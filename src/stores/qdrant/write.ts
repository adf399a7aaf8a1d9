/** Writes given points into a collection that is in use: what is missing or other is sent, and read back. */
import { MemkeepError, reasonOf } from "../../domain/errors.ts";
import type { Value } from "../format/value.ts";
import type { StoreRecord, Written } from "../store.ts";
import { limitsOf, sendUpsert } from "./batches.ts";
import { createShardKeys } from "./load.ts";
import { isMap } from "./schema.ts";
import type { CollectionSchema } from "./schema.ts";
import { parseKey } from "./point-id.ts";
import { fetchPoints, shardsOf } from "./read-points.ts";
import type { Shard } from "./read-points.ts";
import { digestsOfPoint } from "./record-sum.ts";
import type { Server } from "./server.ts";
import type { Unit } from "./units.ts";
import { UpsertBody } from "./wire.ts";
import type { WritablePoint } from "./wire.ts";

interface GivenPoint extends WritablePoint {
  readonly key: string;
  readonly shardKey: string | undefined;
}

/** So many keys are named when points did not arrive. */
const namedKeys = 20;

/**
 * Inserts what is missing and updates what differs. Every point that was sent is read back: a server has been seen to
 * answer 200 and drop a vector, and to store a part of what it refused. `COMPARE_FAILED` names what is not there.
 */
export async function writePoints(
  server: Server,
  unit: Unit,
  records: AsyncIterable<StoreRecord>,
): Promise<Written> {
  const schema = await server.schema(unit.address, unit.aliases, unit.isAlias);
  const writer = new PointWriter(server, unit, schema);
  for await (const record of records) {
    server.context.signal.throwIfAborted();
    await writer.add(pointOf(record, unit.name));
  }
  return writer.finish();
}

function pointOf({ key, fields }: StoreRecord, collection: string): GivenPoint {
  const text = Buffer.from(key).toString("utf8");
  const parsed = parseKey(text);
  const { payload, vectors } = fields as Readonly<Record<string, Value | undefined>>;
  if (parsed && payload !== undefined && isMap(vectors)) return { key: text, ...parsed, payload, vectors };
  throw unwritable(collection, "it has no id, payload or vectors of a point");
}

function unwritable(collection: string, happened: string): MemkeepError {
  return new MemkeepError("STORE_UNSUPPORTED", { tried: `write a record into ${collection}`, happened });
}

class PointWriter {
  readonly #server: Server;
  readonly #unit: Unit;
  readonly #schema: CollectionSchema;
  readonly #shards = new Map<string | undefined, Shard>();
  /** Points that wait for their batch, by shard key and id. */
  readonly #open = new Map<string | undefined, { body: UpsertBody; points: Map<string, GivenPoint> }>();
  readonly #written = { inserted: 0, updated: 0, unchanged: 0 };

  constructor(server: Server, unit: Unit, schema: CollectionSchema) {
    this.#server = server;
    this.#unit = unit;
    this.#schema = schema;
    for (const shard of shardsOf(unit.address, schema)) this.#shards.set(shard.reading.shardKey, shard);
  }

  async add(point: GivenPoint): Promise<void> {
    const { shardKey, id } = point;
    // The same point twice: the first one must be there before the second is compared.
    if (this.#open.get(shardKey)?.points.has(id)) await this.#send(shardKey);
    let batch = this.#open.get(shardKey);
    if (!batch) this.#open.set(shardKey, (batch = { body: new UpsertBody(), points: new Map() }));
    this.#append(batch.body, point);
    batch.points.set(id, point);
    const limits = limitsOf(this.#schema);
    if (batch.body.count >= limits.points || batch.body.sizeBytes >= limits.sizeBytes) {
      await this.#send(shardKey);
    }
  }

  async finish(): Promise<Written> {
    for (const shardKey of this.#open.keys()) await this.#send(shardKey);
    return this.#written;
  }

  #append(body: UpsertBody, point: GivenPoint): void {
    try {
      body.add(point);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      throw unwritable(this.#unit.name, error.message);
    }
  }

  async #send(shardKey: string | undefined): Promise<void> {
    const { points, body: whole } = this.#open.get(shardKey)!;
    this.#open.delete(shardKey);
    const shard = await this.#shard(shardKey);
    const wanted = new Map([...points].map(([id, point]) => [id, digestOf(point)]));
    const there = await this.#digests(shard, [...points.keys()]);
    const other = [...points.values()].filter(({ id }) => there.get(id) !== wanted.get(id));
    this.#written.unchanged += points.size - other.length;
    if (other.length === 0) return;
    let body = whole;
    if (other.length < points.size) {
      body = new UpsertBody();
      for (const point of other) this.#append(body, point);
    }
    let refused: { readonly error: unknown } | undefined;
    try {
      await sendUpsert(this.#server, this.#unit.address, body, shardKey);
    } catch (error) {
      // Another shard may have taken its part, and an answer may have been lost: only reading tells.
      this.#server.context.signal.throwIfAborted();
      refused = { error };
    }
    const now = await this.#digests(
      shard,
      other.map(({ id }) => id),
    );
    const lost = other.filter(({ id }) => now.get(id) !== wanted.get(id));
    if (lost.length > 0) throw this.#notWritten(lost, other.length, refused?.error);
    for (const { id } of other) this.#written[there.has(id) ? "updated" : "inserted"]++;
  }

  /** A shard key that the collection has not yet is made: a point under it cannot be written otherwise. */
  async #shard(shardKey: string | undefined): Promise<Shard> {
    const known = this.#shards.get(shardKey);
    if (known) return known;
    if (shardKey === undefined || this.#schema.shardKeys === undefined) {
      throw unwritable(this.#unit.name, "the collection and the record do not agree about shard keys");
    }
    await createShardKeys(this.#server, this.#unit.address, [{ key: shardKey, shards: undefined }]);
    const any = shardsOf(this.#unit.address, this.#schema)[0];
    const [made] = any
      ? [{ ...any, reading: { ...any.reading, shardKey } }]
      : shardsOf(this.#unit.address, { ...this.#schema, shardKeys: [{ key: shardKey, shards: undefined }] });
    this.#shards.set(shardKey, made!);
    return made!;
  }

  async #digests(shard: Shard, ids: readonly string[]): Promise<Map<string, string>> {
    const digests = new Map<string, string>();
    for await (const points of fetchPoints(this.#server, shard, ids)) {
      for (const point of points) digests.set(point.id, digestOf(point));
    }
    return digests;
  }

  #notWritten(lost: readonly GivenPoint[], sent: number, error: unknown): MemkeepError {
    const keys = lost.map(({ key }) => key);
    const said = error === undefined ? "the server said that it took them" : reasonOf(error);
    return new MemkeepError("COMPARE_FAILED", {
      tried: `write ${sent} points into ${this.#unit.address}`,
      happened: `${lost.length} of them are not there as they were sent: ${keys.slice(0, namedKeys).join(", ")} (${said})`,
      next: "Compare the collection's vectors with those of the source; what was written stays, and the same can be done again.",
      details: { collection: this.#unit.name, keys: keys.slice(0, 1000) },
      cause: error,
    });
  }
}

/** The digest that the server's storage of numbers cannot change. */
function digestOf(point: Parameters<typeof digestsOfPoint>[0]): string {
  return digestsOfPoint(point).settled.toString("hex");
}
