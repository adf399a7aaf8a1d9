/**
 * Makes a live collection like a dumped one: inserts, updates, deletes. Both are walked in the order of keys, so memory
 * does not grow with the data; what is overwritten is kept in an undo log first.
 */
import type { CollectionFacts } from "../../domain/manifest.ts";
import type { DumpSource } from "../store.ts";
import { Upserts, limitsOf } from "./batches.ts";
import type { CollectionSchema } from "./schema.ts";
import { changeBody, settleBodies } from "./settings.ts";
import { pointOf, unwritable } from "./dump-contents.ts";
import type { DumpedCollection } from "./dump-contents.ts";
import { createShardKeys } from "./load.ts";
import { parseKey } from "./point-id.ts";
import { fetchPoints, shardsOf } from "./read-points.ts";
import type { Shard } from "./read-points.ts";
import { RecordSum, digestsOfRecord } from "./record-sum.ts";
import type { Server } from "./server.ts";
import type { Unit } from "./units.ts";
import { plainJson } from "./wire.ts";
import { UndoLog } from "./undo-log.ts";
import { walkBoth } from "./walk.ts";
import type { Walked } from "./walk.ts";

export interface Changed {
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
  /** Some of the keys, for people. */
  readonly examples: readonly string[];
}

const exampleCount = 20;

export class Difference implements AsyncDisposable {
  readonly #server: Server;
  readonly #unit: Unit;
  readonly #dumped: DumpedCollection;
  readonly #isMerge: boolean;
  readonly #undo: UndoLog;
  readonly #stem: string;
  #before: CollectionSchema | undefined;
  #walks = 0;

  private constructor(
    server: Server,
    unit: Unit,
    dumped: DumpedCollection,
    isMerge: boolean,
    undo: UndoLog,
    stem: string,
  ) {
    this.#server = server;
    this.#unit = unit;
    this.#dumped = dumped;
    this.#isMerge = isMerge;
    this.#undo = undo;
    this.#stem = stem;
  }

  static async begin(
    server: Server,
    unit: Unit,
    dumped: DumpedCollection,
    isMerge: boolean,
    stem: string,
  ): Promise<Difference> {
    const undo = await UndoLog.create(`${server.context.spoolFolder}/${stem}.undo`);
    return new Difference(server, unit, dumped, isMerge, undo, stem);
  }

  /** Applies the difference. Whatever it rejects with, `undo` brings back what was there. */
  async apply(source: DumpSource): Promise<Changed> {
    const live = await this.#schema();
    this.#before = live;
    const changed = await this.#applyPoints(source, live);
    if (!this.#isMerge) await applySettings(this.#server, this.#unit.address, live, this.#dumped.schema);
    return changed;
  }

  async #applyPoints(source: DumpSource, live: CollectionSchema): Promise<Changed> {
    const { context } = this.#server;
    const { address } = this.#unit;
    const { files, schema } = this.#dumped;
    const known = new Set(live.shardKeys?.map(({ key }) => key));
    const missing = schema.shardKeys?.filter(({ key }) => !known.has(key)) ?? [];
    await createShardKeys(this.#server, address, missing);
    const shards = new Map(
      shardsOf(address, await this.#schema()).map((shard) => [shard.reading.shardKey, shard]),
    );
    const updates = new Set<string>();
    const examples: string[] = [];
    const counts = { inserted: 0, updated: 0, deleted: 0 };
    const limits = limitsOf(live);
    const upserts = new Upserts(this.#server, address, limits, async (ids, shardKey) => {
      const isUpdate = (id: string): boolean => updates.has(plainJson([shardKey ?? null, id]));
      const old = await this.#old(shards.get(shardKey)!, ids.filter(isUpdate));
      // A point that came since the walk began is an old one too.
      const arrived = await this.#old(
        shards.get(shardKey)!,
        ids.filter((id) => !isUpdate(id)),
      );
      const isThere = new Set(arrived.map(({ id }) => id));
      await this.#undo.write(
        [...old, ...arrived],
        ids.filter((id) => !isUpdate(id) && !isThere.has(id)),
        shardKey,
      );
      for (const id of ids) updates.delete(plainJson([shardKey ?? null, id]));
    });
    const deletes = new Map<string | undefined, string[]>();
    try {
      let walked = 0;
      for await (const { record, digest, key } of this.#walk(source, live)) {
        context.signal.throwIfAborted();
        if (record && ++walked % 256 === 0)
          context.observer.progress(context.name, walked, files.records, "records");
        if (record) {
          const isUpdate = digest !== undefined;
          if (isUpdate && digestsOfRecord(record, files.file).settled.equals(digest)) continue;
          const point = pointOf(record, files.file);
          if (isUpdate) updates.add(plainJson([point.shardKey ?? null, point.id]));
          counts[isUpdate ? "updated" : "inserted"]++;
          const wait = upserts.add(point, point.shardKey);
          if (wait) await wait;
        } else if (!this.#isMerge) {
          counts.deleted++;
          const { id, shardKey } = parseKey(key.toString())!;
          const ids = deletes.get(shardKey) ?? [];
          deletes.set(shardKey, ids);
          if (ids.push(id) >= limits.points) await this.#delete(shards.get(shardKey)!, ids.splice(0));
        } else continue;
        if (examples.length < exampleCount) examples.push(key.toString());
      }
      await upserts.finish();
      for (const [shardKey, ids] of deletes) await this.#delete(shards.get(shardKey)!, ids);
    } catch (error) {
      throw unwritable(error, files.file);
    } finally {
      await upserts.settle();
    }
    return { ...counts, examples };
  }

  /** Points that are there with these ids, in pages that the server can give. */
  async #old(shard: Shard, ids: readonly string[]) {
    const points = [];
    for await (const batch of fetchPoints(this.#server, shard, ids)) points.push(...batch);
    return points;
  }

  async #delete(shard: Shard, ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    await this.#undo.write(await this.#old(shard, ids), [], shard.reading.shardKey);
    await this.#server.deletePoints(shard.name, ids, shard.reading.shardKey);
  }

  #walk(source: DumpSource, schema: CollectionSchema): AsyncGenerator<Walked> {
    return walkBoth({
      server: this.#server,
      address: this.#unit.address,
      schema,
      source,
      dumped: this.#dumped,
      stem: `${this.#stem}-walk-${++this.#walks}`,
    });
  }

  /** Facts of the collection as it is now; of a merged one, of the dump's records alone. */
  async facts(source: DumpSource): Promise<CollectionFacts> {
    const sum = new RecordSum();
    for await (const { record, digest, key } of this.#walk(source, await this.#schema())) {
      if (digest === undefined || (this.#isMerge && !record)) continue;
      const wanted = record && digestsOfRecord(record, this.#dumped.files.file);
      // The record itself where the two differ by nothing but what the server's storage does to numbers.
      sum.add(key, wanted?.settled.equals(digest) === true ? wanted.digest : digest, digest);
    }
    return sum.facts(this.#dumped.name);
  }

  /** Brings back points and settings as they were before `apply`, by a server that an interrupt does not stop. */
  async undo(server: Server): Promise<void> {
    if (!this.#before) return;
    const { address, aliases, isAlias } = this.#unit;
    const now = await server.schema(address, aliases, isAlias);
    if (!this.#isMerge) await applySettings(server, address, now, this.#before);
    await this.#undo.undo(server, address, limitsOf(this.#before));
    this.#before = undefined;
  }

  #schema(): Promise<CollectionSchema> {
    const { address, aliases, isAlias } = this.#unit;
    return this.#server.schema(address, aliases, isAlias);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#undo[Symbol.asyncDispose]();
  }
}

/** Indexes and settings of a collection that is in use; strict mode last. */
async function applySettings(
  server: Server,
  address: string,
  now: CollectionSchema,
  wanted: CollectionSchema,
): Promise<void> {
  for (const field of Object.keys(now.payloadIndexes)) {
    if (!Object.hasOwn(wanted.payloadIndexes, field)) await server.deleteIndex(address, field);
  }
  for (const field of Object.keys(wanted.payloadIndexes)) {
    const [from, to] = [now.payloadIndexes[field], wanted.payloadIndexes[field]!];
    if (from !== undefined && plainJson(from) === plainJson(to)) continue;
    if (from !== undefined) await server.deleteIndex(address, field);
    await server.createIndex(address, field, to);
  }
  const body = changeBody(now, wanted);
  if (body !== undefined) await server.change(address, body);
  const strict = plainJson(wanted.config["strict_mode_config"] ?? null);
  if (strict === plainJson(now.config["strict_mode_config"] ?? null)) return;
  await server.change(address, settleBodies(wanted).strict ?? '{"strict_mode_config":{"enabled":false}}');
}
