/**
 * Reads many tree blobs with few requests: in the order in which they lie, in groups of a few megabytes, so that the
 * small trees of a thousand snapshots are some dozen requests and memory does not grow with their number.
 */
import { MemkeepError } from "../../../domain/errors.ts";
import type { Storage } from "../../../storages/storage.ts";
import type { BlobIndex } from "../index/blob-index.ts";
import { windowBytes } from "../pipeline/read-plan.ts";
import { StreamLoader } from "../pipeline/stream-loader.ts";
import type { WorkerPool } from "../pipeline/worker-pool.ts";
import { decodeTree } from "../tree/decode-tree.ts";
import type { Node } from "../tree/node.ts";
import { Bitmap } from "./bitmap.ts";

export interface ReadTree {
  readonly entry: number;
  readonly nodes: readonly Node[];
}

/** Told of a tree that cannot be read. Without it, reading ends with the error. */
export type OnDamagedTree = (entry: number, error: MemkeepError) => void;

export interface TreeParts {
  readonly storage: Storage;
  readonly index: BlobIndex;
  readonly workers: WorkerPool;
  readonly signal: AbortSignal;
  readonly onDamaged?: OnDamagedTree;
}

/**
 * Every tree that can be reached from the given ones, each once, parents before children. A subtree that is in no
 * index is passed over: the caller sees the node that names it. Those in `seen` are passed over too.
 */
export async function* eachTree(
  parts: TreeParts,
  roots: Iterable<number>,
  seen: Bitmap = new Bitmap(parts.index.size),
): AsyncGenerator<ReadTree> {
  let level = [...roots].filter((entry) => seen.add(entry));
  while (level.length > 0) {
    const below: number[] = [];
    for await (const tree of readTrees(parts, level)) {
      for (const node of tree.nodes) {
        if (node.type !== "dir") continue;
        const child = findTree(parts.index, node.subtree);
        if (child >= 0 && seen.add(child)) below.push(child);
      }
      yield tree;
    }
    level = below;
  }
}

/** The entry of a tree by its id, hex; -1 when it is in no index. */
export function findTree(index: BlobIndex, id: string): number {
  return index.find(Buffer.from(id, "hex"), 0, "tree");
}

/** Given trees, each once, in the order in which they lie. */
export async function* readTrees(parts: TreeParts, entries: readonly number[]): AsyncGenerator<ReadTree> {
  const loader = new StreamLoader(parts.storage, parts.index, parts.workers);
  for (const group of groupsOf(entries, parts.index)) {
    parts.signal.throwIfAborted();
    let trees: ReadTree[];
    try {
      trees = await readGroup(loader, parts.index, group);
    } catch (error) {
      if (!parts.onDamaged || !(error instanceof MemkeepError)) throw error;
      trees = await readOneByOne(loader, parts.index, group, parts.onDamaged);
    }
    yield* trees;
  }
}

/** By place, so that neighbours are fetched together; at most a window's bytes together. */
function* groupsOf(entries: readonly number[], index: BlobIndex): Generator<number[]> {
  const sorted = [...entries].sort(
    (a, b) => index.packOf(a) - index.packOf(b) || index.offsetOf(a) - index.offsetOf(b),
  );
  let group: number[] = [];
  let bytes = 0;
  for (const entry of sorted) {
    const length = index.plainLength(entry);
    if (group.length > 0 && bytes + length > windowBytes) {
      yield group;
      group = [];
      bytes = 0;
    }
    group.push(entry);
    bytes += length;
  }
  if (group.length > 0) yield group;
}

async function readGroup(
  loader: StreamLoader,
  index: BlobIndex,
  group: readonly number[],
): Promise<ReadTree[]> {
  const trees: ReadTree[] = [];
  for await (const bytes of loader.load(group)) {
    for (let at = 0; trees.length < group.length;) {
      const entry = group[trees.length]!;
      const length = index.plainLength(entry);
      if (at + length > bytes.length) break;
      trees.push({ entry, nodes: decodeTree(bytes.subarray(at, at + length)) });
      at += length;
    }
  }
  return trees;
}

async function readOneByOne(
  loader: StreamLoader,
  index: BlobIndex,
  group: readonly number[],
  onDamaged: OnDamagedTree,
): Promise<ReadTree[]> {
  const trees: ReadTree[] = [];
  for (const entry of group) {
    try {
      trees.push(...(await readGroup(loader, index, [entry])));
    } catch (error) {
      if (!(error instanceof MemkeepError)) throw error;
      onDamaged(entry, error);
    }
  }
  return trees;
}
