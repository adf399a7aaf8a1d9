/** Questions and orders to a server, in the words of this adaptor. Everything is JSON that keeps its numbers. */
import { MemkeepError } from "../../domain/errors.ts";
import { readPlainJson } from "../format/json-read.ts";
import { compareUtf8 } from "../format/value.ts";
import type { Value, ValueMap } from "../format/value.ts";
import type { StoreContext } from "../store.ts";
import { QdrantClient, segment } from "./client.ts";
import type { Body, Method } from "./client.ts";
import { indexesOf, isCustomSharded, isMap, mapAt, sorted } from "./schema.ts";
import type { CollectionSchema } from "./schema.ts";
import type { QdrantConfig } from "./config.ts";
import { isRefusal } from "./failure.ts";
import { readPage, readRetrieved } from "./page.ts";
import type { Page, Point, Reading } from "./page.ts";
import { idJson } from "./point-id.ts";
import { plainJson } from "./wire.ts";

export interface CollectionState {
  /** `green`, `yellow`, `grey` or `red`. */
  readonly status: string;
  readonly optimizerStatus: Value | undefined;
  /** Writes that were acknowledged and not applied yet. */
  readonly queued: number;
  /** Points that are stored and hidden from every reader until the optimiser gets to them. */
  readonly deferred: number;
  readonly config: ValueMap;
  readonly payloadIndexes: ValueMap;
}

export class Server implements Disposable {
  readonly client: QdrantClient;
  readonly config: QdrantConfig;
  readonly context: StoreContext;

  constructor(config: QdrantConfig, context: StoreContext) {
    this.client = new QdrantClient(config, context);
    this.config = config;
    this.context = context;
  }

  /** The `result` of an answer. */
  async ask(method: Method, path: string, body?: Body, waits = false): Promise<Value> {
    const answer = await this.client.ask(method, path, body, readJson, waits);
    if (!isMap(answer) || answer["result"] === undefined)
      throw this.strange(method, path, "it has no result");
    return answer["result"];
  }

  strange(method: Method, path: string, happened: string): MemkeepError {
    return new MemkeepError("STORE_UNREADABLE", {
      tried: `understand the answer to ${method} ${path}`,
      happened,
      next: "Check that the address is that of Qdrant's REST interface (port 6333), not of another service.",
    });
  }

  async version(): Promise<string> {
    const answer = await this.client.ask("GET", "/", undefined, readJson);
    const version = isMap(answer) ? answer["version"] : undefined;
    if (typeof version !== "string") throw this.strange("GET", "/", "it names no version");
    return version;
  }

  async collectionNames(): Promise<string[]> {
    const { collections } = (await this.ask("GET", "/collections")) as ValueMap;
    if (!Array.isArray(collections)) throw this.strange("GET", "/collections", "it has no list");
    return (collections as ValueMap[]).map((collection) => textAt(collection, "name")).sort(compareUtf8);
  }

  /** Alias → collection. */
  async aliases(): Promise<Map<string, string>> {
    const { aliases } = (await this.ask("GET", "/aliases")) as ValueMap;
    if (!Array.isArray(aliases)) throw this.strange("GET", "/aliases", "it has no list");
    return new Map(
      (aliases as ValueMap[]).map((alias) => [textAt(alias, "alias_name"), textAt(alias, "collection_name")]),
    );
  }

  async exists(name: string): Promise<boolean> {
    return ((await this.ask("GET", `/collections/${segment(name)}/exists`)) as ValueMap)["exists"] === true;
  }

  async state(name: string): Promise<CollectionState> {
    const info = await this.ask("GET", `/collections/${segment(name)}`);
    const queue = mapAt(info, "update_queue");
    return {
      status: textAt(info, "status"),
      optimizerStatus: isMap(info) ? info["optimizer_status"] : undefined,
      queued: Number(queue["length"] ?? 0),
      deferred: Number(queue["deferred_points"] ?? 0),
      config: sorted(mapAt(info, "config")) as ValueMap,
      payloadIndexes: indexesOf(mapAt(info, "payload_schema")),
    };
  }

  /** `name` is the collection's own name or an alias. */
  async schema(name: string, aliases: readonly string[], isAlias: boolean): Promise<CollectionSchema> {
    const { config, payloadIndexes } = await this.state(name);
    const shardKeys = isCustomSharded({ config }) ? await this.#shardsByKey(name) : undefined;
    return { config, payloadIndexes, shardKeys, aliases, isAlias };
  }

  async #shardsByKey(name: string): Promise<NonNullable<CollectionSchema["shardKeys"]>> {
    const shards = await this.#shardsOf(`/collections/${segment(name)}`);
    const keys = await this.shardKeys(name);
    return keys.map((key) => ({ key, shards: shards?.filter((of) => of === key).length }));
  }

  /** The shard keys as JSON, sorted. */
  async shardKeys(name: string): Promise<string[]> {
    const listed = mapListAt(await this.ask("GET", `/collections/${segment(name)}/shards`), "shard_keys");
    return listed.map(({ key }) => plainJson(key!)).sort(compareUtf8);
  }

  /** The shard key of each shard; undefined where the key may not see that. */
  async #shardsOf(path: string): Promise<string[] | undefined> {
    try {
      const cluster = await this.ask("GET", `${path}/cluster`);
      const shards = new Map<string, string>();
      for (const side of ["local_shards", "remote_shards"]) {
        for (const shard of mapListAt(cluster, side)) {
          shards.set(plainJson(shard["shard_id"]!), plainJson(shard["shard_key"] ?? null));
        }
      }
      return [...shards.values()];
    } catch (error) {
      if (isRefusal(error, 403)) return undefined;
      throw error;
    }
  }

  /** The exact number of points. It costs a token where reads are limited. */
  async count(name: string, shardKey: string | undefined): Promise<number> {
    const body = `{"exact":true${shardMember(shardKey)}}`;
    const { count } = (await this.ask(
      "POST",
      `/collections/${segment(name)}/points/count`,
      body,
    )) as ValueMap;
    if (typeof count !== "bigint") throw this.strange("POST", "count", "it has no count");
    return Number(count);
  }

  /** One page in the order of ids, from `offset` on. */
  async scroll(
    name: string,
    offset: string | undefined,
    limit: number,
    reading: Reading,
    idsOnly: boolean,
  ): Promise<{ page: Page; sizeBytes: number }> {
    const from = offset === undefined ? "" : `,"offset":${idJson(offset)}`;
    const what = `"with_payload":${!idsOnly},"with_vector":${!idsOnly}`;
    const body = `{"limit":${limit}${from},${what}${shardMember(reading.shardKey)}}`;
    const path = `/collections/${segment(name)}/points/scroll`;
    return this.client.ask("POST", path, body, (answer) => ({
      page: this.#read(path, () => readPage(answer, reading)),
      sizeBytes: answer.length,
    }));
  }

  /** The points with these ids that are there. */
  async retrieve(name: string, ids: readonly string[], reading: Reading): Promise<readonly Point[]> {
    const body = `{"ids":[${ids.map(idJson).join(",")}],"with_payload":true,"with_vector":true${shardMember(reading.shardKey)}}`;
    const path = `/collections/${segment(name)}/points`;
    return this.client.ask("POST", path, body, (answer) =>
      this.#read(path, () => readRetrieved(answer, reading)),
    );
  }

  #read<T>(path: string, read: () => T): T {
    try {
      return read();
    } catch (cause) {
      if (!(cause instanceof SyntaxError || cause instanceof TypeError || cause instanceof RangeError))
        throw cause;
      throw new MemkeepError("STORE_UNREADABLE", {
        tried: `understand the answer to POST ${path}`,
        happened: cause.message,
        cause,
      });
    }
  }

  /** All alias changes happen together or not at all. */
  async changeAliases(actions: readonly AliasAction[]): Promise<void> {
    if (actions.length === 0) return;
    const written = actions.map(({ alias, collection }) =>
      collection === undefined
        ? { delete_alias: { alias_name: alias } }
        : { create_alias: { collection_name: collection, alias_name: alias } },
    );
    await this.ask("POST", "/collections/aliases", plainJson({ actions: written }));
  }

  /** Waits for what was written. Points are never sent without. */
  async upsert(name: string, body: Uint8Array): Promise<void> {
    await this.ask("PUT", `/collections/${segment(name)}/points?wait=true`, body);
  }

  async deletePoints(name: string, ids: readonly string[], shardKey: string | undefined): Promise<void> {
    const body = `{"points":[${ids.map(idJson).join(",")}]${shardMember(shardKey)}}`;
    await this.ask("POST", `/collections/${segment(name)}/points/delete?wait=true`, body);
  }

  async createIndex(name: string, field: string, index: Value): Promise<void> {
    const body = plainJson({ field_name: field, field_schema: index });
    await this.ask("PUT", `/collections/${segment(name)}/index?wait=true`, body, true);
  }

  async deleteIndex(name: string, field: string): Promise<void> {
    await this.ask(
      "DELETE",
      `/collections/${segment(name)}/index/${segment(field)}?wait=true`,
      undefined,
      true,
    );
  }

  /** Changes settings. Before 1.18 the server ends what its optimisers are doing first. */
  async change(name: string, body: string): Promise<void> {
    await this.ask("PATCH", `/collections/${segment(name)}`, body, true);
  }

  /** Waits until nothing is queued, hidden or being optimised. `STORE_BUSY` when that takes longer than configured. */
  async waitUntil(name: string, what: "green" | "undeferred"): Promise<void> {
    const { clock, signal } = this.context;
    const startMs = clock.monotonicMs();
    let greens = 0;
    let nudges = 0;
    for (let delayMs = 100; ; delayMs = Math.min(delayMs * 1.5, 5_000)) {
      const { status, optimizerStatus, queued, deferred } = await this.state(name);
      if (status === "red" || isMap(optimizerStatus)) {
        throw new MemkeepError("STORE_DAMAGED", {
          tried: `wait for the collection ${name}`,
          happened: `the server calls its state ${status}: ${plainJson(optimizerStatus ?? null)}`,
          next: "Look into the server's log.",
        });
      }
      greens = status === "green" && queued === 0 ? greens + 1 : 0;
      // Changed settings reach the optimisers in the background (1.18): the first green may be an old one.
      if (deferred === 0 && (what === "undeferred" || greens > 1)) return;
      // After a restart the server waits for a change before it optimises, lest it crash for ever.
      if (status === "grey" && what === "green" && nudges++ === 0) {
        await this.change(name, '{"optimizers_config":{}}');
      }
      // One that was green once is asked again, however little time was given.
      const isSettling = deferred === 0 && greens > 0;
      if (!isSettling && clock.monotonicMs() - startMs >= this.config.optimizerWait) {
        throw new MemkeepError("STORE_BUSY", {
          tried: `wait for the collection ${name}`,
          happened:
            deferred > 0
              ? `${deferred} points are stored and hidden from readers (prevent_unoptimized) until the server has optimised them`
              : `its status is still ${status}, with ${queued} writes queued`,
          next: "Try again later, or raise `optimizerWait`.",
        });
      }
      await clock.sleep(delayMs, signal);
    }
  }

  [Symbol.dispose](): void {
    this.client[Symbol.dispose]();
  }
}

/** `collection` left out: the alias is removed. */
export interface AliasAction {
  readonly alias: string;
  readonly collection?: string;
}

function readJson(answer: Buffer): Value {
  return readPlainJson(answer.toString("utf8"));
}

function shardMember(shardKey: string | undefined): string {
  return shardKey === undefined ? "" : `,"shard_key":${shardKey}`;
}

function textAt(value: Value | undefined, name: string): string {
  const text = isMap(value) ? value[name] : undefined;
  return typeof text === "string" ? text : "";
}

function mapListAt(value: Value, name: string): ValueMap[] {
  const list = isMap(value) ? value[name] : undefined;
  return Array.isArray(list) ? (list as ValueMap[]) : [];
}
