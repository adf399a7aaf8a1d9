/** A connection to a SQLite file in a thread of its own. Dispose ends the thread, and with it every lock it holds. */
import { Worker } from "node:worker_threads";
import { SqliteFailure } from "./failure.ts";
import type { FromReader, ReaderJob, ReaderJobs, ReaderSetup, ToReader } from "./reader-jobs.ts";

interface Pending {
  readonly message: ToReader;
  resolve(answer: unknown): void;
  reject(error: Error): void;
  progress: ((done: number, total: number) => void) | undefined;
}

/** A heap of that size is collected early, so that many rows cost little (law 11). */
const usualHeapMb = 96;
/** Small: a young row of a few hundred bytes holds a value outside the heap that may have a hundred times as many. */
const youngHeapMb = 1;
/** For a text of hundreds of megabytes, which the usual heap cannot hold. */
const largeHeapMb = 4096;

export class Reader implements AsyncDisposable {
  readonly #setup: ReaderSetup;
  #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #lastTicket = 0;
  #cursors = 0;
  #ended: Error | undefined;

  constructor(setup: ReaderSetup) {
    this.#setup = setup;
    this.#worker = this.#start(usualHeapMb);
  }

  /** Asks the thread. Rejects with a `SqliteFailure` for SQLite's errors; `storeError` puts them into words. */
  ask<J extends ReaderJob>(
    job: J,
    ...[argument, progress]: ReaderJobs[J][0] extends undefined
      ? [argument?: undefined, progress?: (done: number, total: number) => void]
      : [argument: ReaderJobs[J][0], progress?: (done: number, total: number) => void]
  ): Promise<ReaderJobs[J][1]> {
    if (this.#ended) return Promise.reject(this.#ended);
    const ticket = ++this.#lastTicket;
    if (job === "openKeys") this.#cursors++;
    return new Promise((resolve, reject) => {
      const message: ToReader = { ticket, job, argument };
      this.#pending.set(ticket, { message, resolve, reject, progress });
      this.#post(message);
    });
  }

  /** Makes a copy under way reject after its present step. */
  cancelCopy(): void {
    this.#post({ cancel: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }

  #start(heapMb: number): Worker {
    // Compiled, the thread is JavaScript beside this file; from source it is TypeScript.
    const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
    const worker = new Worker(new URL(`./reader-thread.${extension}`, import.meta.url), {
      workerData: this.#setup,
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: heapMb, maxYoungGenerationSizeMb: youngHeapMb },
    });
    worker.on("message", (message: FromReader) => this.#receive(message));
    worker.on("error", (error) => {
      if (heapMb < largeHeapMb && this.#mayStartAgain(error)) {
        this.#worker = this.#start(largeHeapMb);
        for (const { message } of this.#pending.values()) this.#post(message);
      } else {
        this.#end(error instanceof Error ? error : new Error(String(error)));
      }
    });
    worker.on("exit", () => {
      if (worker === this.#worker) this.#end(new Error("the thread that reads the database ended"));
    });
    return worker;
  }

  /** A still file gives the same answers again. A pin of a live one, and cursors, would be lost with the thread. */
  #mayStartAgain(error: unknown): boolean {
    const outOfMemory =
      error instanceof Error && "code" in error && error.code === "ERR_WORKER_OUT_OF_MEMORY";
    return outOfMemory && this.#setup.mode === "still" && this.#cursors === 0;
  }

  #post(message: ToReader): void {
    this.#worker.postMessage(message);
  }

  #receive(message: FromReader): void {
    const pending = this.#pending.get(message.ticket);
    if ("progress" in message) {
      pending?.progress?.(...message.progress);
      return;
    }
    this.#pending.delete(message.ticket);
    if ("answer" in message) pending?.resolve(message.answer);
    else {
      const { message: text, errcode } = message.failure;
      pending?.reject(errcode === undefined ? new Error(text) : new SqliteFailure(text, errcode));
    }
  }

  #end(reason: Error): void {
    this.#ended ??= reason;
    for (const pending of this.#pending.values()) pending.reject(reason);
    this.#pending.clear();
  }
}
