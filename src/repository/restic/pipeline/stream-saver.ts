/**
 * Takes a stream of bytes to the repositories: into slabs, cut, hashed, compared with what each repository has,
 * compressed once, sealed per repository. Streams may be saved at the same time; they share slabs and workers.
 */
import type { ChunkPolicy } from "../chunking/policy.ts";
import type { BlobIndex } from "../index/blob-index.ts";
import { type Content, IndexedContent } from "../tree/node.ts";
import type { SealAnswer } from "./jobs.ts";
import type { PackWriter } from "./pack-writer.ts";
import type { Patience } from "./patience.ts";
import { type Slab, type SlabPool, slabBytes } from "./slab-pool.ts";
import type { WorkerPool } from "./worker-pool.ts";

/** One repository that the bytes go to. */
export interface Target {
  readonly index: BlobIndex;
  readonly writer: PackWriter;
  /** The number of its key in the worker pool. */
  readonly keyNumber: number;
  /** Set when this repository failed: it is left out from then on. */
  failure: Error | undefined;
}

/** `SealJob.wanted` has a bit for each. */
export const targetsAtMost = 8;

export interface SavedStream {
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly content: Content;
}

export class StreamSaver {
  readonly #targets: readonly Target[];
  readonly #workers: WorkerPool;
  readonly #slabs: SlabPool;
  readonly #patience: Patience;

  /** Targets are numbered by their place, as the slabs' outputs are. At most `targetsAtMost`. */
  constructor(targets: readonly Target[], workers: WorkerPool, slabs: SlabPool, patience: Patience) {
    this.#targets = targets;
    this.#workers = workers;
    this.#slabs = slabs;
    this.#patience = patience;
  }

  /**
   * Saves all bytes. Rejects when the source rejects, or when no target is left. Chunks are then stored in part, which
   * harms nobody.
   */
  async save(source: AsyncIterable<Uint8Array>, policy: ChunkPolicy): Promise<SavedStream> {
    const stream = new SavingStream(this.#targets, this.#workers, this.#slabs, this.#patience, policy);
    return stream.run(source);
  }
}

/** One stream on its way. */
class SavingStream {
  readonly #targets: readonly Target[];
  readonly #workers: WorkerPool;
  readonly #slabs: SlabPool;
  readonly #patience: Patience;
  readonly #policy: ChunkPolicy;
  readonly #number: number;
  readonly #content: IndexedContent;
  /** Ends when every slab before has been compared with the indexes: contents are listed in order. */
  #listed: Promise<void> = Promise.resolve();
  readonly #stored = new Set<Promise<void>>();
  #failure: Error | undefined;
  #sizeBytes = 0;
  #sha256: Promise<string | undefined> = Promise.resolve(undefined);

  constructor(
    targets: readonly Target[],
    workers: WorkerPool,
    slabs: SlabPool,
    patience: Patience,
    policy: ChunkPolicy,
  ) {
    this.#targets = targets;
    this.#patience = patience;
    this.#content = new IndexedContent(targets[0]!.index);
    this.#workers = workers;
    this.#slabs = slabs;
    this.#policy = policy;
    this.#number = workers.newStream();
  }

  async run(source: AsyncIterable<Uint8Array>): Promise<SavedStream> {
    let slab = await this.#slabs.take();
    let filled = 0;
    try {
      for await (const piece of source) {
        for (let at = 0; at < piece.length;) {
          const room = slab.bytes.length - filled;
          const part = Math.min(room, piece.length - at);
          slab.bytes.set(piece.subarray(at, at + part), filled);
          filled += part;
          at += part;
          if (filled === slab.bytes.length) ({ slab, filled } = await this.#handOn(slab, filled));
        }
        if (this.#failure) throw this.#failure;
      }
    } catch (error) {
      this.#slabs.give(slab);
      await this.#settle();
      throw error;
    }
    this.#process(slab, this.#cut(slab, filled, true), true);
    await this.#settle();
    if (this.#failure) throw this.#failure;
    const sha256 = await this.#sha256;
    return { sizeBytes: this.#sizeBytes, sha256: sha256!, content: this.#content };
  }

  /** Sends a full slab on its way and begins the next with the bytes of the chunk that is not finished. */
  async #handOn(slab: Slab, filled: number): Promise<{ slab: Slab; filled: number }> {
    const ends = this.#cut(slab, filled, false);
    const used = ends[ends.length - 1]!;
    const next = await this.#slabs.take();
    next.bytes.set(slab.bytes.subarray(used, filled));
    this.#process(slab, ends, false);
    return { slab: next, filled: filled - used };
  }

  #cut(slab: Slab, filled: number, final: boolean): Uint32Array {
    const ends: number[] = [];
    for (let from = 0; from < filled && (final || from < slabBytes);) {
      const length = this.#policy.cutter.cut(slab.bytes, from, filled, this.#sizeBytes + from, final);
      if (length < 0) break;
      from += length;
      ends.push(from);
    }
    return Uint32Array.from(ends);
  }

  #process(slab: Slab, ends: Uint32Array, final: boolean): void {
    const length = ends.at(-1) ?? 0;
    this.#sizeBytes += length;
    const digested = this.#workers.run(
      { op: "digest", stream: this.#number, input: slab.input, length, final },
      this.#number % this.#workers.size,
    );
    if (final) this.#sha256 = digested;
    const hashed = this.#workers.run({ op: "hash", input: slab.input, ends, ids: slab.ids });
    const listed = Promise.all([this.#listed, hashed]).then(() => this.#choose(slab, ends));
    this.#listed = listed.then(() => undefined);
    // Whoever waits sees the failure through #settle; the chain itself must not be an unhandled rejection.
    this.#listed.catch(() => undefined);
    const stored = Promise.all([listed.then((wanted) => this.#store(slab, ends, wanted)), digested])
      .then(() => undefined)
      .catch((error: unknown) => {
        this.#failure ??= error instanceof Error ? error : new Error(String(error));
      })
      .finally(() => {
        this.#slabs.give(slab);
        this.#stored.delete(stored);
      });
    this.#stored.add(stored);
  }

  async #settle(): Promise<void> {
    await Promise.all(this.#stored);
  }

  /** Lists the slab's chunks and reserves those that a target lacks. Bit `t` of `wanted[i]`: target `t` lacks chunk `i`. */
  #choose(slab: Slab, ends: Uint32Array): Uint8Array {
    const wanted = new Uint8Array(ends.length);
    for (let chunk = 0; chunk < ends.length; chunk++) {
      const at = chunk * 32;
      for (let number = 0; number < this.#targets.length; number++) {
        const { index, failure } = this.#targets[number]!;
        // The first one's index lists the contents, also when that repository has failed.
        if (failure && number > 0) continue;
        let entry = index.find(slab.idBytes, at, "data");
        if (entry < 0) {
          entry = index.reserve(slab.idBytes, at, "data");
          if (!failure) wanted[chunk]! |= 1 << number;
        }
        if (number === 0) this.#content.push(entry);
      }
    }
    return wanted;
  }

  async #store(slab: Slab, ends: Uint32Array, wanted: Uint8Array): Promise<void> {
    this.#refuseNoneLeft();
    if (wanted.every((bits) => bits === 0)) return;
    const sealed = await this.#workers.run({
      op: "seal",
      input: slab.input,
      ends,
      wanted,
      level: this.#policy.level,
      keys: this.#targets.map(({ keyNumber }) => keyNumber),
      outputs: slab.outputs,
    });
    await Promise.all(
      this.#targets.map((target, number) =>
        this.#append(target, number, slab, ends, wanted, sealed).catch((error: unknown) => {
          target.failure ??= error instanceof Error ? error : new Error(String(error));
        }),
      ),
    );
    this.#refuseNoneLeft();
  }

  #refuseNoneLeft(): void {
    if (this.#targets.every((target) => target.failure)) throw this.#targets[0]!.failure!;
  }

  async #append(
    target: Target,
    number: number,
    slab: Slab,
    ends: Uint32Array,
    wanted: Uint8Array,
    sealed: SealAnswer,
  ): Promise<void> {
    const output = slab.outputBytes[number]!;
    let from = 0;
    for (let chunk = 0; chunk < ends.length; chunk++) {
      if (target.failure || (wanted[chunk]! & (1 << number)) === 0) continue;
      const to = from + sealed.lengths[chunk]!;
      const plainBytes = ends[chunk]! - (chunk === 0 ? 0 : ends[chunk - 1]!);
      const added = target.writer.add(
        "data",
        output.subarray(from, to),
        slab.idBytes,
        chunk * 32,
        plainBytes,
        sealed.compressed[chunk] === 1,
      );
      if (added !== undefined) {
        await added;
        this.#patience.check(target);
      }
      from = to;
    }
  }
}
