/**
 * Takes given records: inserts those that are missing, updates those that differ, deletes nothing. What is there is looked up
 * while the graph is watched, and the changes take effect together or, when somebody else wrote meanwhile, not at all; then
 * they are looked up anew. So no id is used that may have gone to another node since.
 */
import { MemkeepError, isMemkeepError } from "../../domain/errors.ts";
import { readValue } from "../format/json-read.ts";
import { writeValue } from "../format/json-write.ts";
import type { Value, ValueMap } from "../format/value.ts";
import { edgeDigest, nodeRecord } from "../graph/records.ts";
import type { StoreRecord, Written } from "../store.ts";
import { graphNames } from "./config.ts";
import { findEnds, findRecords, place } from "./keys.ts";
import type { Found } from "./keys.ts";
import { refused } from "./client.ts";
import { requireGraph } from "./require-graph.ts";
import { readPartsFor } from "./restore-plan.ts";
import type { RestoreParts } from "./restore-plan.ts";
import { readSchema } from "./schema.ts";
import { scratchName } from "./scratch.ts";
import { touchedIds } from "./send.ts";
import { Watch } from "./watch.ts";
import { changeEdges, changeNodes, createEdges, createNodes, splitProperties } from "./write-batch.ts";

/** Records that take effect together. The server does nothing else meanwhile. */
const atOnce = 500;
/** What a record may take of the server's QUERY_MEM_CAPACITY. */
const rowBytes = 8192;
/** How often records are looked up anew because somebody else wrote. */
const maxAttempts = 25;

export async function writeRecords(
  collection: string,
  records: AsyncIterable<StoreRecord>,
  parts: RestoreParts,
): Promise<Written> {
  const written = { inserted: 0, updated: 0, unchanged: 0 };
  const names = graphNames(parts.config);
  const graphs = names.map((name) => ({ name, prefix: names.length > 1 ? name : "" }));
  const { graph, name } = place(collection, graphs);
  await requireGraph(parts.session, graph.name, parts.config);
  const { queryBytes = Infinity } = await parts.session.limits();
  const most = Math.min(atOnce, queryBytes / rowBytes);
  let some: StoreRecord[] = [];
  const write = async (): Promise<void> => {
    const keys = some.map(({ key }) => latin1(key));
    if (new Set(keys).size < keys.length) throw indistinct();
    const done = await new Writing(name, graph.name, some, parts).run();
    written.inserted += done.inserted;
    written.updated += done.updated;
    written.unchanged += done.unchanged;
    some = [];
  };
  for await (const record of records) {
    some.push(record);
    if (some.length >= most) await write();
  }
  if (some.length > 0) await write();
  return written;
}

type Kind = keyof Written;

/** A query and how many records it touches. */
interface Order {
  readonly query: Buffer;
  readonly count: number;
}

class Writing {
  readonly #collection: string;
  readonly #graph: string;
  readonly #records: readonly StoreRecord[];
  readonly #parts: RestoreParts;
  /** What an attempt whose answer was lost meant to do, by key. */
  readonly #meant = new Map<string, Kind>();
  /** Exists only to be watched: writing to it keeps a late transaction from taking effect. */
  readonly #witness = scratchName();

  constructor(collection: string, graph: string, records: readonly StoreRecord[], parts: RestoreParts) {
    this.#collection = collection;
    this.#graph = graph;
    this.#records = records;
    this.#parts = parts;
  }

  async run(): Promise<Written> {
    for (let attempt = 1; attempt <= maxAttempts; attempt++) {
      this.#parts.context.signal.throwIfAborted();
      const done = await this.#attempt();
      if (done) return done;
    }
    throw new MemkeepError("STORE_BUSY", {
      tried: "write records into the graph",
      happened: `somebody else wrote to it each of ${maxAttempts} times`,
      next: "Stop what writes, and run it again: what is written already is found then.",
    });
  }

  /** Undefined when nothing was done, or nobody knows: then it is to be looked up again. */
  async #attempt(): Promise<Written | undefined> {
    const { session } = this.#parts;
    await using watch = await Watch.begin(session, [this.#graph, this.#witness]);
    const kinds = new Map<string, Kind>();
    const orders = await this.#orders(kinds, await this.#mandatory());
    try {
      const commands = orders.map(({ query }) => ["GRAPH.QUERY", this.#graph, query, "--compact"]);
      const replies = orders.length === 0 ? [] : await watch.execute(commands);
      if (!replies) return undefined;
      for (const [at, { count }] of orders.entries()) touchedIds(replies[at]!, count);
    } catch (error) {
      if (!isMemkeepError(error, "STORE_UNREACHABLE")) throw refused("write records into the graph", error);
      await using cleanup = session.forCleanup();
      await cleanup.ask("SET", this.#witness, "late", "PX", "60000");
      for (const [key, kind] of kinds) if (kind !== "unchanged") this.#meant.set(key, kind);
      return undefined;
    }
    return this.#counted(kinds);
  }

  #counted(kinds: ReadonlyMap<string, Kind>): Written {
    const written = { inserted: 0, updated: 0, unchanged: 0 };
    for (const [key, kind] of kinds) {
      written[kind === "unchanged" ? (this.#meant.get(key) ?? kind) : kind]++;
    }
    return written;
  }

  /** What constraints demand of new nodes, or edges. */
  async #mandatory(): Promise<readonly string[]> {
    const { schema } = await readSchema(this.#parts.session, Buffer.from(this.#graph));
    const entity = this.#collection.startsWith("[") ? "RELATIONSHIP" : "NODE";
    const demanding = schema.constraints.filter(
      (constraint) => constraint.type === "MANDATORY" && constraint.entity === entity,
    );
    return [...new Set(demanding.flatMap(({ properties }) => properties))];
  }

  async #orders(kinds: Map<string, Kind>, mandatory: readonly string[]): Promise<Order[]> {
    const read = await readPartsFor(this.#graph, this.#parts, this.#parts.config);
    const found = new Map<string, Found>();
    const keys = this.#records.map(({ key }) => key);
    for (const record of await findRecords(this.#collection, keys, read)) {
      if (found.has(latin1(record.key))) throw indistinct();
      found.set(latin1(record.key), record);
    }
    if (!this.#collection.startsWith("[")) return this.#nodeOrders(found, kinds, mandatory);
    const edges = this.#records.map((record) => ({ ...edgeFields(record), key: latin1(record.key) }));
    const missing = edges.filter(({ key }) => !found.has(key));
    const ids = await findEnds(new Set(missing.flatMap(({ from, to }) => [from, to])), read);
    const groups = new Groups<Parameters<typeof changeEdges>[0][number]>();
    for (const { key, type, from, to, properties, digest } of edges) {
      const there = found.get(key);
      const split = splitProperties(properties);
      if (there) {
        const isSame = digest.equals(there.digest);
        kinds.set(key, isSame ? "unchanged" : "updated");
        if (isSame) continue;
        groups.add(`change ${type} ${split.shape}`, {
          id: there.id,
          type,
          ...there.ends!,
          properties: split,
        });
        continue;
      }
      const [source, target] = [ids.get(from), ids.get(to)];
      if (source === undefined || target === undefined) throw strange("one of its ends is not in the graph");
      kinds.set(key, "inserted");
      groups.add(`create ${type} ${split.shape}`, { id: -1, type, source, target, properties: split });
    }
    return groups.orders((batch) => (batch[0]!.id < 0 ? createEdges(batch, mandatory) : changeEdges(batch)));
  }

  #nodeOrders(
    found: ReadonlyMap<string, Found>,
    kinds: Map<string, Kind>,
    mandatory: readonly string[],
  ): Order[] {
    const groups = new Groups<Parameters<typeof changeNodes>[0][number]>();
    for (const { key, fields } of this.#records) {
      const { labels, properties } = nodeFields(fields);
      const { digest, key: own } = nodeRecord({ labels, properties }, this.#parts.config);
      if (!own.equals(key)) throw strange("its key is not the one that its properties give");
      const there = found.get(latin1(key));
      const split = splitProperties(properties);
      if (there && digest.equals(there.digest)) {
        kinds.set(latin1(key), "unchanged");
        continue;
      }
      kinds.set(latin1(key), there ? "updated" : "inserted");
      const had = (there?.fields["labels"] ?? []) as readonly string[];
      const superfluous = had.filter((label) => !labels.includes(label));
      const shape = JSON.stringify([there !== undefined, labels, superfluous, split.shape]);
      groups.add(shape, { id: there?.id ?? -1, labels, superfluous, properties: split });
    }
    return groups.orders((batch) => (batch[0]!.id < 0 ? createNodes(batch, mandatory) : changeNodes(batch)));
  }
}

/** Collects what one query can do. */
class Groups<Item> {
  readonly #groups = new Map<string, Item[]>();

  add(shape: string, item: Item): void {
    const group = this.#groups.get(shape);
    if (group) group.push(item);
    else this.#groups.set(shape, [item]);
  }

  orders(queryOf: (items: readonly Item[]) => Buffer): Order[] {
    return [...this.#groups.values()].map((items) => ({ query: queryOf(items), count: items.length }));
  }
}

function nodeFields(fields: StoreRecord["fields"]): { labels: readonly string[]; properties: ValueMap } {
  const { labels, properties } = fields;
  if (!Array.isArray(labels) || !labels.every((label) => typeof label === "string") || !isMap(properties)) {
    throw strange("it has no labels or properties");
  }
  return { labels, properties };
}

function edgeFields({ key, fields }: StoreRecord): {
  readonly type: string;
  readonly from: string;
  readonly to: string;
  readonly properties: ValueMap;
  readonly digest: Buffer;
} {
  const name = Buffer.from(key).toString("utf8");
  const parts = readValue(name);
  const [from, type, to] = Array.isArray(parts) ? (parts as readonly Value[]) : [];
  const { properties } = fields;
  if (from === undefined || to === undefined || typeof type !== "string" || !isMap(properties)) {
    throw strange("it has no ends, no type or no properties");
  }
  return {
    type,
    from: writeValue(from),
    to: writeValue(to),
    properties,
    digest: edgeDigest(name, properties),
  };
}

function isMap(value: unknown): value is ValueMap {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function latin1(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString("latin1");
}

function indistinct(): MemkeepError {
  return new MemkeepError("STORE_UNSUPPORTED", {
    tried: "write single records",
    happened: "several records have one key, and cannot be told apart",
    next: "Restore the whole store with --mode merge.",
  });
}

function strange(happened: string): MemkeepError {
  return new MemkeepError("STORE_UNSUPPORTED", { tried: "write a record into FalkorDB", happened });
}
