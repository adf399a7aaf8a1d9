/**
 * A SQLite database seen at one instant: a read transaction on the backup's own connection. From the end of the dump on,
 * keys and records are read from the spool copy, and the transaction is over: a WAL cannot shrink while one lasts.
 */
import { durationText } from "../../domain/words.ts";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { MemkeepError } from "../../domain/errors.ts";
import type { Consistency } from "../../domain/manifest.ts";
import type { DumpFacts, DumpSink, KeyStream, StoreContext, StoreRecord, View } from "../store.ts";
import { type LiveDatabase, openLive, openStill } from "./client.ts";
import type { SqliteConfig } from "./config.ts";
import type { PinState } from "./copy.ts";
import { dumpView } from "./dump.ts";
import { storeError } from "./failure.ts";
import type { Reader } from "./reader.ts";

export async function openView(config: SqliteConfig, context: StoreContext): Promise<View> {
  // Taken before the read that fixes the view: whatever was committed by now is in it.
  const instantMs = context.clock.now();
  const database = await openLive(config, context);
  if (database.pinned.tableCount === 0 && !config.allowEmpty) {
    await database[Symbol.asyncDispose]();
    throw new MemkeepError("STORE_EMPTY", {
      tried: `back up ${database.file.path}`,
      happened: "it has no tables, which is what a wrong path or a lost database looks like",
      next: "Check the path. If it is meant to be empty, set `allowEmpty: true`.",
    });
  }
  return new SqliteView(database, instantMs, config, context);
}

class SqliteView implements View {
  readonly consistency: Consistency = "snapshot";
  readonly #database: LiveDatabase;
  readonly #config: SqliteConfig;
  readonly #context: StoreContext;
  /** Aborts when a pin that blocks writers has lasted long enough. */
  readonly #deadline = new AbortController();
  readonly #ended = new AbortController();
  #instantMs: number;
  #isPinned = true;
  /** The spool copy, once there is one, and the reader of it, once somebody asks. */
  #copyPath: string | undefined;
  #copyReader: Reader | undefined;
  #scratchFiles = 0;
  #busy: Promise<unknown> = Promise.resolve();

  constructor(database: LiveDatabase, instantMs: number, config: SqliteConfig, context: StoreContext) {
    this.#database = database;
    this.#instantMs = instantMs;
    this.#config = config;
    this.#context = context;
    if (database.mode === "live" && database.pinned.journalMode !== "wal") this.#boundPin();
  }

  get instant(): string {
    return new Date(this.#instantMs).toISOString();
  }

  async dump(sink: DumpSink): Promise<DumpFacts> {
    const path = join(this.#context.spoolFolder, `${this.#context.name}.db`);
    const pin: PinState = {
      instantMs: this.#instantMs,
      isPinned: () => this.#isPinned,
      deadline: this.#deadline.signal,
      letGo: () => this.#letGo(),
    };
    const dump = dumpView(this.#database, path, pin, sink, this.#config, this.#context);
    this.#busy = dump.catch(() => undefined);
    const { facts, instantMs } = await dump;
    this.#instantMs = instantMs;
    this.#copyPath = path;
    return facts;
  }

  async collections(): Promise<readonly { name: string; records: number }[]> {
    return this.#ask((reader) => reader.ask("counts"));
  }

  keys(collection: string): KeyStream {
    const scratchPath = join(
      this.#context.spoolFolder,
      `${this.#context.name}-keys-${++this.#scratchFiles}.db`,
    );
    const batches = this.#keyBatches(collection, scratchPath);
    return { ordered: true, [Symbol.asyncIterator]: () => batches };
  }

  async *records(
    collection: string,
    keys: readonly Uint8Array[],
  ): AsyncGenerator<StoreRecord, void, undefined> {
    // So many records are held at once.
    const batchKeys = 100;
    for (let first = 0; first < keys.length; first += batchKeys) {
      this.#context.signal.throwIfAborted();
      const batch = keys.slice(first, first + batchKeys);
      yield* await this.#ask((reader) => reader.ask("records", { collection, keys: batch }));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    // A thread that is ended in the middle of a copy would leave the copy's own thread with a closed connection.
    this.#database.reader.cancelCopy();
    await this.#busy;
    await this.#database[Symbol.asyncDispose]();
    await this.#copyReader?.[Symbol.asyncDispose]();
    if (this.#copyPath) await rm(this.#copyPath, { force: true });
  }

  async *#keyBatches(collection: string, scratchPath: string) {
    let reader = this.#reader();
    const cursor = await this.#ask((asked) => {
      reader = asked;
      return asked.ask("openKeys", { collection, scratchPath });
    });
    try {
      for (;;) {
        this.#context.signal.throwIfAborted();
        const batch = await reader.ask("nextKeys", cursor);
        if (batch === undefined) return;
        yield batch;
      }
    } finally {
      await reader.ask("closeKeys", cursor);
      await rm(scratchPath, { force: true });
    }
  }

  async #ask<T>(question: (reader: Reader) => Promise<T>): Promise<T> {
    const { path } = this.#database.file;
    if (!this.#copyPath && !this.#isPinned) throw this.#pinLost(path);
    try {
      return await question(this.#reader());
    } catch (error) {
      throw storeError(error, path, `read ${path}`);
    }
  }

  #reader(): Reader {
    if (this.#copyPath) this.#copyReader ??= openStill(this.#copyPath);
    return this.#copyReader ?? this.#database.reader;
  }

  #pinLost(path: string): MemkeepError {
    return new MemkeepError("STORE_CHANGED", {
      tried: `read ${path} as it was at ${this.instant}`,
      happened: `it is in rollback-journal mode, and the view was let go after ${this.#config.maxBlock} ms so that others can write`,
      next: "Raise `maxBlock`, or switch the database to WAL, where a view blocks nobody.",
    });
  }

  async #letGo(): Promise<void> {
    if (!this.#isPinned) return;
    this.#isPinned = false;
    await this.#database.reader.ask("release");
  }

  #boundPin(): void {
    const { clock, observer, name } = this.#context;
    observer.warn(
      name,
      `${this.#database.file.path} is in rollback-journal mode: while it is copied nobody can write, for ${durationText(this.#config.maxBlock)} at the most`,
    );
    clock.sleep(this.#config.maxBlock, this.#ended.signal).then(
      () => {
        this.#deadline.abort();
        // A copy under way lets go itself, once its step is done.
        void this.#busy.then(() =>
          this.#copyPath || this.#ended.signal.aborted ? undefined : this.#letGo(),
        );
      },
      () => undefined,
    );
  }
}
