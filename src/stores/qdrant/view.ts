/** A Qdrant store while it is read. The engine has no view that stands still: see `recheck.ts`. */
import type { Consistency } from "../../domain/manifest.ts";
import { MemkeepError } from "../../domain/errors.ts";
import type { DumpFacts, DumpSink, KeyStream, StoreRecord, View } from "../store.ts";
import { dumpUnits } from "./dump.ts";
import { infiniteVectors } from "./infinite.ts";
import { sortedKeys } from "./keys.ts";
import { parseKey } from "./point-id.ts";
import { fetchPoints, shardsOf } from "./read-points.ts";
import type { Server } from "./server.ts";
import { presentUnits } from "./units.ts";
import type { Unit } from "./units.ts";

export async function openView(server: Server): Promise<View> {
  const instantMs = server.context.clock.now();
  const version = await server.version();
  return new QdrantView(server, await presentUnits(server), version, instantMs);
}

class QdrantView implements View {
  readonly consistency: Consistency = "fuzzy";
  readonly instant: string;
  readonly #server: Server;
  readonly #units: readonly Unit[];
  readonly #version: string;
  #keyStreams = 0;

  constructor(server: Server, units: readonly Unit[], version: string, instantMs: number) {
    this.#server = server;
    this.#units = units;
    this.#version = version;
    this.instant = new Date(instantMs).toISOString();
  }

  dump(sink: DumpSink): Promise<DumpFacts> {
    return dumpUnits(this.#server, this.#units, this.#version, sink);
  }

  async collections(): Promise<readonly { name: string; records: number }[]> {
    const counted: { name: string; records: number }[] = [];
    for (const { name, address } of this.#units) {
      // Over all shard keys: the count, unlike the scroll, counts an id once for each of its shard keys.
      counted.push({ name, records: await this.#server.count(address, undefined) });
    }
    return counted;
  }

  keys(collection: string): KeyStream {
    const stem = `${this.#server.context.name}-keys-${++this.#keyStreams}`;
    const server = this.#server;
    const unit = this.#unit(collection);
    async function* batches() {
      const schema = await server.schema(unit.address, unit.aliases, unit.isAlias);
      yield* sortedKeys(server, unit.address, schema, stem);
    }
    return { ordered: true, [Symbol.asyncIterator]: batches };
  }

  async *records(
    collection: string,
    keys: readonly Uint8Array[],
  ): AsyncGenerator<StoreRecord, void, undefined> {
    const unit = this.#unit(collection);
    const schema = await this.#server.schema(unit.address, unit.aliases, unit.isAlias);
    const wanted = keys.map((key) => parseKey(Buffer.from(key).toString("utf8")));
    for (const shard of shardsOf(unit.address, schema)) {
      const ids = wanted.flatMap((key) => (key && key.shardKey === shard.reading.shardKey ? [key.id] : []));
      for await (const points of fetchPoints(this.#server, shard, ids)) {
        for (const { key, payload, vectors, infinite } of points) {
          if (infinite.length > 0 && !this.#server.config.acceptInfinite)
            throw infiniteVectors(collection, [key], 1);
          yield { key: Buffer.from(key), fields: { payload, vectors } };
        }
      }
    }
  }

  #unit(collection: string): Unit {
    const unit = this.#units.find(({ name }) => name === collection);
    if (unit) return unit;
    throw new MemkeepError("STORE_MISSING", {
      tried: `read the collection ${JSON.stringify(collection)}`,
      happened: "this view has no such collection",
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#server[Symbol.dispose]();
    return Promise.resolve();
  }
}
