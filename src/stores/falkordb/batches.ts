import type { DumpedRecord } from "../format/read-collection.ts";
import type { ServerLimits } from "./client.ts";

export interface BatchSettings {
  readonly signal: AbortSignal;
  /** Queries under way at once: the server reads one while it executes another. */
  readonly connections: number;
  /**
   * Several queries that changed a graph and met QUERY_MEM_CAPACITY at once have ended a server (4.16.3): batches stay far
   * below it.
   */
  readonly limits: Pick<ServerLimits, "queryBytes">;
}

export interface Placed {
  /** It must not be created before those of earlier batches. */
  readonly continues: boolean;
}

const batchRows = 2000;
/** Floats in one query; a vector counts as its columns. Keeps a query below about 2 MB. */
const batchFloats = 150_000;
const batchTextLength = 2 * 1024 * 1024;
/** Bytes of the server's memory that each may take, generously. */
const serverBytes = { row: 8192, float: 256, character: 64 };

/** Collects records of one shape and sends them when there are enough, several queries at once. */
export class Batches<Item extends Placed> implements AsyncDisposable {
  readonly #parts: BatchSettings;
  readonly #send: (batch: readonly Item[]) => Promise<void>;
  readonly #open = new Map<string, { items: Item[]; floats: number; textLength: number }>();
  readonly #underWay = new Set<Promise<void>>();
  #held = 0;
  #failure: { readonly error: unknown } | undefined;

  constructor(parts: BatchSettings, send: (batch: readonly Item[]) => Promise<void>) {
    this.#parts = parts;
    this.#send = send;
  }

  async add(shape: string, item: Item, { line, vectors }: DumpedRecord): Promise<void> {
    let batch = this.#open.get(shape);
    if (!batch) {
      batch = { items: [], floats: 0, textLength: 0 };
      this.#open.set(shape, batch);
    }
    batch.items.push(item);
    batch.textLength += line.length;
    for (const { vector } of vectors) batch.floats += vector.columns;
    this.#held++;
    const capacity = this.#parts.limits.queryBytes ?? Infinity;
    const isFull =
      batch.items.length >= Math.min(batchRows, capacity / serverBytes.row) ||
      batch.floats >= Math.min(batchFloats, capacity / serverBytes.float) ||
      batch.textLength >= Math.min(batchTextLength, capacity / serverBytes.character);
    if (isFull) await this.#flush(shape);
    // Many shapes, few records each: they would pile up.
    else if (this.#held >= batchRows * 4) await this.drain();
  }

  /** Sends what is left and waits for all queries. Rejects with the first failure. */
  async drain(): Promise<void> {
    for (const shape of this.#open.keys()) await this.#flush(shape);
    while (this.#underWay.size > 0) await Promise.race(this.#underWay);
    if (this.#failure) throw this.#failure.error;
  }

  /** Waits for queries that are under way, whatever becomes of them. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#underWay);
  }

  async #flush(shape: string): Promise<void> {
    const { items } = this.#open.get(shape)!;
    this.#open.delete(shape);
    this.#held -= items.length;
    // Nodes that are alike keep their order, by which edges name them: their queries must not overtake each other.
    const most = items[0]!.continues ? 1 : this.#parts.connections;
    while (this.#underWay.size >= most) await Promise.race(this.#underWay);
    this.#parts.signal.throwIfAborted();
    if (this.#failure) throw this.#failure.error;
    const sent: Promise<void> = this.#send(items)
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#underWay.delete(sent));
    this.#underWay.add(sent);
  }
}
