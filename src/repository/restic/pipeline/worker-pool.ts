/**
 * The threads that hash, compress and seal. At most four: they share memory bandwidth with the rest, and each costs
 * resident memory (law 11). Their heaps are capped, since all large buffers are shared ones made once.
 */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { MasterKey } from "../crypto/master-key.ts";
import type { Answers, Job } from "./jobs.ts";
import { type PostedJob, withNumbers } from "./known-buffers.ts";
import { windowBytes } from "./read-plan.ts";
import { SharedBuffers } from "./shared-buffers.ts";

interface Pending {
  resolve(answer: never): void;
  reject(error: Error): void;
}

interface Member {
  readonly worker: Worker;
  readonly pending: Map<number, Pending>;
}

/** What a worker is sent: a job, one more key, or one more known buffer. */
export type WorkerMessage =
  | { readonly ticket: number; readonly job: PostedJob }
  | { readonly key: MasterKey }
  | { readonly buffer: SharedArrayBuffer };

/** What a worker sends back. */
export interface WorkerReply {
  readonly ticket: number;
  readonly answer?: unknown;
  readonly failure?: Error;
}

const maximumWorkers = 4;

export class WorkerPool implements AsyncDisposable {
  /** Key number 0. */
  readonly key: MasterKey;
  readonly #members: Member[];
  readonly #known = new Map<SharedArrayBuffer, number>();
  /** Buffers of a window's size for all who read: what is shared once stays known to the workers, so nobody makes their own. */
  readonly windows: SharedBuffers = new SharedBuffers(windowBytes, (buffer) => void this.share(buffer));
  #ticket = 0;
  #lastKey = 0;
  #streams = 0;
  #failure: Error | undefined;

  /** `key` is number 0 for the jobs that name a key. */
  constructor(key: MasterKey, count: number = Math.min(maximumWorkers, availableParallelism())) {
    this.key = key;
    this.#members = Array.from({ length: count }, () => this.#start(key));
  }

  /** Gives the workers another key, as of a second repository, and the number by which jobs name it. */
  addKey(key: MasterKey): number {
    for (const { worker } of this.#members) worker.postMessage({ key } satisfies WorkerMessage);
    return ++this.#lastKey;
  }

  /** Makes a buffer known to the workers for as long as the pool lives: for buffers that are used again and again. */
  share(buffer: SharedArrayBuffer): SharedArrayBuffer {
    this.#known.set(buffer, this.#known.size);
    for (const { worker } of this.#members) worker.postMessage({ buffer } satisfies WorkerMessage);
    return buffer;
  }

  get size(): number {
    return this.#members.length;
  }

  /** Runs a job on the least busy worker, or on a certain one. Rejects when the job fails or the worker dies. */
  run<J extends Job>(job: J, member: number = this.#leastBusy()): Promise<Answers[J["op"]]> {
    if (this.#failure) return Promise.reject(this.#failure);
    const { worker, pending } = this.#members[member]!;
    const ticket = this.#ticket++;
    const posted = withNumbers(job, (buffer) => this.#known.get(buffer));
    return new Promise((resolve, reject) => {
      pending.set(ticket, { resolve, reject });
      worker.postMessage({ ticket, job: posted } satisfies WorkerMessage);
    });
  }

  /** A number for `DigestJob.stream` that no other stream of this pool has. */
  newStream(): number {
    return this.#streams++;
  }

  /** SHA-256 of the first bytes of shared memory, hex. */
  async digest(input: SharedArrayBuffer, length: number): Promise<string> {
    return (await this.run({ op: "digest", stream: this.newStream(), input, length, final: true }))!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#failure ??= new Error("the worker pool is closed");
    await Promise.all(this.#members.map(({ worker }) => worker.terminate()));
  }

  #leastBusy(): number {
    let best = 0;
    for (let member = 1; member < this.#members.length; member++) {
      if (this.#members[member]!.pending.size < this.#members[best]!.pending.size) best = member;
    }
    return best;
  }

  #start(key: MasterKey): Member {
    // Compiled, the worker is JavaScript beside this file; from source it is TypeScript.
    const source = new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js", import.meta.url);
    const worker = new Worker(source, {
      workerData: { key },
      // An application's flags are not for these threads.
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: 96, maxYoungGenerationSizeMb: 3 },
    });
    const pending = new Map<number, Pending>();
    worker.on("message", ({ ticket, answer, failure }: WorkerReply) => {
      const waiting = pending.get(ticket);
      pending.delete(ticket);
      if (failure) waiting?.reject(failure);
      else waiting?.resolve(answer as never);
    });
    worker.on("error", (error) => this.#fail(error instanceof Error ? error : new Error(String(error))));
    worker.on("exit", () => this.#fail(new Error("a worker thread ended")));
    return { worker, pending };
  }

  /** A dead worker takes its answers with it, so everybody who waits must know. */
  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { pending } of this.#members) {
      for (const waiting of pending.values()) waiting.reject(this.#failure);
      pending.clear();
    }
  }
}
