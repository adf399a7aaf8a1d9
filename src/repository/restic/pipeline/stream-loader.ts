/**
 * Gives a file's bytes back: fetches ranges of packs, opens and checks the blobs in the workers, and puts them out
 * in order. As many windows are under way as the storage has connections; memory does not grow with the file.
 */
import type { Storage } from "../../../storages/storage.ts";
import type { BlobIndex } from "../index/blob-index.ts";
import { packName } from "../pack/pack-name.ts";
import { LargeBlobs } from "./large-blobs.ts";
import { damagedChunks, type Loaded } from "./loaded.ts";
import { openJob } from "./open-job.ts";
import { largestSharedBytes, type PackRange, planWindows, type Window } from "./read-plan.ts";
import { readInto } from "./read-into.ts";
import type { WorkerPool } from "./worker-pool.ts";

/** Each costs a window's output and one or two ranges (law 11). */
const mostWindowsAtOnce = 8;

export class StreamLoader {
  readonly #storage: Storage;
  readonly #index: BlobIndex;
  readonly #workers: WorkerPool;
  readonly #large: LargeBlobs;
  readonly #windowsAtOnce: number;

  /** The workers' key 0 opens this repository. */
  constructor(storage: Storage, index: BlobIndex, workers: WorkerPool) {
    this.#storage = storage;
    this.#index = index;
    this.#workers = workers;
    this.#windowsAtOnce = Math.min(mostWindowsAtOnce, storage.properties.connections);
    this.#large = new LargeBlobs(storage, index, workers.key);
  }

  /**
   * The plain bytes of the given index entries, one buffer a window. A buffer's memory is used again when the next one is
   * asked for. `REPOSITORY_DAMAGED` names the pack of a blob that is not what its id says.
   */
  async *load(entries: Iterable<number>): AsyncGenerator<Buffer> {
    const windows = planWindows(entries, this.#index);
    const underWay: Promise<Loaded>[] = [];
    try {
      for (;;) {
        while (underWay.length < this.#windowsAtOnce) {
          const next = windows.next();
          if (next.done) break;
          const loading = this.#loadWindow(next.value);
          // It may fail while an earlier one is still being given out; whoever awaits it is told.
          loading.catch(() => undefined);
          underWay.push(loading);
        }
        const first = underWay.shift();
        if (!first) return;
        const loaded = await first;
        try {
          yield loaded.bytes;
        } finally {
          loaded.release();
        }
      }
    } finally {
      await Promise.allSettled(underWay);
    }
  }

  async #loadWindow(window: Window): Promise<Loaded> {
    if (window.plainBytes > largestSharedBytes) return this.#large.load(window.ranges[0]!.blobs[0]!.entry);
    const output = this.#workers.windows.take(window.plainBytes);
    await Promise.all(window.ranges.map((range) => this.#loadRange(range, output)));
    return {
      bytes: Buffer.from(output, 0, window.plainBytes),
      release: () => this.#workers.windows.give(output),
    };
  }

  async #loadRange(range: PackRange, output: SharedArrayBuffer): Promise<void> {
    const packId = this.#index.packId(range.pack);
    const name = packName(packId);
    const input = this.#workers.windows.take(range.length);
    await readInto(this.#storage, name, range, input);
    const { damaged } = await this.#workers.run(openJob(this.#index, range, input, output));
    this.#workers.windows.give(input);
    if (damaged.length > 0) throw damagedChunks(packId, damaged.length, range.blobs.length);
  }
}
