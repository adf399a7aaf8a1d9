/**
 * Makes the spool copy of a pinned view with SQLite's backup interface, page by page: the layout stays, which is what
 * deduplication lives on.
 *
 * A copy from a connection that holds a read transaction never restarts, so a busy writer cannot starve it. In WAL
 * mode that blocks nobody. In rollback-journal mode it keeps writers out: after `maxBlock` the pin is let go and the
 * copy goes on without it, starting over whenever somebody wrote, `maxRestarts` times at the most.
 */
import { rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { MemkeepError } from "../../domain/errors.ts";
import type { StoreContext } from "../store.ts";
import type { LiveDatabase } from "./client.ts";
import type { SqliteConfig } from "./config.ts";
import { storeError } from "./failure.ts";
import { lacks, requireRoom, roomAt, spaceLow } from "./space.ts";

/** Pages in one step of a pinned copy: few steps, and still many a second. */
const pinnedRatePages = 8192;
/** Unpinned, the lock is held for one step: short ones let writers in between. */
const unpinnedRatePages = 512;

export interface CopyOutcome {
  /** Milliseconds since 1970: everything committed before it is in the copy. */
  readonly instantMs: number;
  /** The live file's `changeStamp` when an unpinned copy began; undefined for a pinned one. */
  readonly stamp: string | undefined;
}

/** When and whether the pin has to be let go; the view keeps it. */
export interface PinState {
  readonly instantMs: number;
  readonly isPinned: () => boolean;
  /** Aborts when writers have waited long enough. */
  readonly deadline: AbortSignal;
  readonly letGo: () => Promise<void>;
}

export async function copyToSpool(
  database: LiveDatabase,
  target: string,
  pin: PinState,
  config: SqliteConfig,
  context: StoreContext,
): Promise<CopyOutcome> {
  const { file, pinned } = database;
  const tried = `copy ${file.path} into the spool folder`;
  await requireRoom(dirname(target), pinned.pageCount * pinned.pageSize, config, tried);
  const run = new CopyRun(database, target, config, context);
  try {
    if (pin.isPinned()) {
      const deadline = AbortSignal.any([context.signal, pin.deadline]);
      if (await run.attempt(pinnedRatePages, deadline)) {
        return { instantMs: pin.instantMs, stamp: undefined };
      }
      context.signal.throwIfAborted();
      await pin.letGo();
    }
    context.observer.warn(
      context.name,
      `writers waited ${config.maxBlock} ms for the copy of ${file.path}; it goes on in pieces and lets them write. ` +
        "In WAL mode (`PRAGMA journal_mode = WAL`) nobody waits.",
    );
    return await run.inPieces(config.maxRestarts);
  } catch (error) {
    await rm(target, { force: true });
    context.signal.throwIfAborted();
    throw storeError(error, file.path, tried);
  }
}

class CopyRun {
  readonly #database: LiveDatabase;
  readonly #target: string;
  readonly #config: SqliteConfig;
  readonly #context: StoreContext;

  constructor(database: LiveDatabase, target: string, config: SqliteConfig, context: StoreContext) {
    this.#database = database;
    this.#target = target;
    this.#config = config;
    this.#context = context;
  }

  /** One copy; false when `until` aborted it. */
  async attempt(
    ratePages: number,
    until: AbortSignal,
    onStep?: (donePages: number) => void,
  ): Promise<boolean> {
    const { reader, pinned } = this.#database;
    await rm(this.#target, { force: true });
    if (until.aborted) return false;
    const cancel = (): void => reader.cancelCopy();
    until.addEventListener("abort", cancel, { once: true });
    let spaceCheck: Promise<void> = Promise.resolve();
    let spaceFailure: unknown;
    try {
      await reader.ask("copy", { target: this.#target, ratePages }, (done, total) => {
        this.#context.observer.progress(
          this.#context.name,
          done * pinned.pageSize,
          total * pinned.pageSize,
          "bytes",
        );
        onStep?.(done);
        spaceCheck = spaceCheck
          .then(() => this.#watchSpace())
          .catch((error: unknown) => {
            spaceFailure ??= error;
            cancel();
          });
      });
    } catch (error) {
      await spaceCheck;
      if (spaceFailure !== undefined) throw spaceFailure;
      if (until.aborted) return false;
      throw error;
    } finally {
      until.removeEventListener("abort", cancel);
    }
    await spaceCheck;
    if (spaceFailure !== undefined) throw spaceFailure;
    return true;
  }

  /** Copies without a pin. The instant is that of the last start: SQLite starts over when somebody wrote in between. */
  async inPieces(maxRestarts: number): Promise<CopyOutcome> {
    const { clock, signal } = this.#context;
    const { path } = this.#database.file;
    const tooOften = new AbortController();
    let instantMs = clock.now();
    let stamp = changeStamp(path);
    let doneBefore = 0;
    let restarts = 0;
    const done = await this.attempt(
      unpinnedRatePages,
      AbortSignal.any([signal, tooOften.signal]),
      (donePages) => {
        if (donePages <= doneBefore) {
          instantMs = clock.now();
          stamp = changeStamp(path);
          // Awaited below; a file that is gone is told by the copy.
          stamp.catch(() => undefined);
          if (++restarts > maxRestarts) tooOften.abort();
        }
        doneBefore = donePages;
      },
    );
    signal.throwIfAborted();
    if (done) return { instantMs, stamp: await stamp };
    throw new MemkeepError("STORE_BUSY", {
      tried: `copy ${path}`,
      happened: `it is in rollback-journal mode, and other programs wrote to it ${restarts} times while it was copied`,
      next: "Switch the database to WAL once (`sqlite3 FILE 'PRAGMA journal_mode = WAL'`), raise `maxBlock` so that writers wait, or back up at a quiet hour.",
    });
  }

  async #watchSpace(): Promise<void> {
    const folder = dirname(this.#target);
    const room = await roomAt(folder, this.#config);
    if (lacks(room, 0))
      throw spaceLow(room, 0, folder, `copy ${this.#database.file.path} into the spool folder`);
  }
}

/**
 * Changes with every commit in rollback-journal mode, as far as the file system's clock tells. By `stat`: reading the
 * file's own change counter would mean to open and close it, which costs SQLite its locks.
 */
export async function changeStamp(path: string): Promise<string> {
  const { mtimeNs, size } = await stat(path, { bigint: true });
  return `${mtimeNs}:${size}`;
}
