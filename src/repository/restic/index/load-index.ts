/** Loads all index files of a repository into one `BlobIndex`. */
import { MemkeepError, isMemkeepError } from "../../../domain/errors.ts";
import type { Objects } from "../objects/objects.ts";
import { BlobIndex } from "./blob-index.ts";
import { readIndex } from "./index-file.ts";

const readsAtOnce = 4;

/** An index file and the numbers of the packs that it lists. */
export interface IndexFile {
  readonly id: string;
  readonly packs: Uint32Array;
  readonly blobs: number;
}

export interface LoadedIndex {
  readonly index: BlobIndex;
  readonly files: readonly IndexFile[];
  /** Index files that could not be read, each with its error. What only they list is not in `index`. */
  readonly damaged: ReadonlyMap<string, MemkeepError>;
}

/**
 * Reads every index file. One that vanishes meanwhile (a prune elsewhere replaced it) makes it start over. Called
 * after the snapshots were listed, so that all blobs of a listed snapshot are in it. A damaged file does not stop it:
 * what the others list can still be read. Writers call `wholeIndex` on the result.
 */
export async function loadIndex(objects: Objects): Promise<LoadedIndex> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await loadOnce(objects);
    } catch (error) {
      if (attempt === 3 || !isMemkeepError(error, "STORAGE_MISSING")) throw error;
    }
  }
}

/** The index, or `REPOSITORY_DAMAGED` when a file of it could not be read. */
export function wholeIndex(loaded: LoadedIndex): BlobIndex {
  const [damaged] = loaded.damaged;
  if (damaged === undefined) return loaded.index;
  throw new MemkeepError("REPOSITORY_DAMAGED", {
    tried: "read the repository's index",
    happened: `${loaded.damaged.size} of its files cannot be read, the first is index/${damaged[0].slice(0, 8)}`,
    next: "Run `memkeep repository repair` to rebuild the index from the packs; it removes no data.",
    cause: damaged[1],
  });
}

async function loadOnce(objects: Objects): Promise<LoadedIndex> {
  const index = new BlobIndex();
  const files: IndexFile[] = [];
  const damaged = new Map<string, MemkeepError>();
  const names: string[] = [];
  for await (const { id } of objects.list("index")) names.push(id);
  const next = names.values();
  await Promise.all(
    Array.from({ length: readsAtOnce }, async () => {
      for (const id of next) {
        try {
          const json = await objects.load("index", id);
          const from = index.size;
          readIndex(json, index);
          files.push({ id, packs: packsOf(index, from), blobs: index.size - from });
        } catch (error) {
          if (!isMemkeepError(error, "REPOSITORY_DAMAGED")) throw error;
          damaged.set(id, error);
        }
      }
    }),
  );
  return { index, files, damaged };
}

/** The packs of all entries from `from` on, each once. Entries of one pack stand together in a file. */
function packsOf(index: BlobIndex, from: number): Uint32Array {
  const packs = new Set<number>();
  for (let entry = from; entry < index.size; entry++) packs.add(index.packOf(entry));
  return Uint32Array.from(packs);
}
