/** Who needs what: for every blob the oldest snapshot that uses it, and how much a restore of all snapshots would write. */
import { MemkeepError } from "../../../domain/errors.ts";
import { asDamage } from "../check/as-damage.ts";
import { findTree, readTrees, type TreeParts } from "./read-trees.ts";

/** The number of a blob that no snapshot uses. */
export const unused = 0xffff_ffff;

export interface FirstUsers {
  /** For each entry of the index the number of the oldest snapshot that uses it, or `unused`. Of copies the one that `find` gives. */
  readonly numbers: Uint32Array;
  /** Bytes of all files of all snapshots, as often as they stand in them. */
  readonly fileBytes: number;
}

/** Trees of one depth: by whom they are reached first, and how often. Numbers alone, so that memory is that of the index. */
class Level {
  readonly entries: number[] = [];
  readonly #owners: Uint32Array;
  readonly #times: Float64Array;

  constructor(size: number) {
    this.#owners = new Uint32Array(size).fill(unused);
    this.#times = new Float64Array(size);
  }

  add(entry: number, owner: number, times: number): void {
    if (this.#times[entry] === 0) this.entries.push(entry);
    this.#owners[entry] = Math.min(this.#owners[entry]!, owner);
    this.#times[entry]! += times;
  }

  owner(entry: number): number {
    return this.#owners[entry]!;
  }

  times(entry: number): number {
    return this.#times[entry]!;
  }
}

/**
 * Walks all snapshots together, depth by depth: a tree is read once for each depth at which it stands, however many have it.
 * `REPOSITORY_DAMAGED` when something that a snapshot names is in no index or cannot be read.
 *
 * @param roots ids of the snapshots' trees, oldest first.
 */
export async function firstUsers(parts: TreeParts, roots: readonly string[]): Promise<FirstUsers> {
  const { index } = parts;
  const onDamaged = (entry: number, error: MemkeepError): never => {
    throw missing(`a folder cannot be read (${asDamage(error).message})`, index.id(entry).toString("hex"));
  };
  const numbers = new Uint32Array(index.size).fill(unused);
  let fileBytes = 0;
  let level = new Level(index.size);
  for (const [number, root] of roots.entries()) {
    level.add(mustBeThere(findTree(index, root), root), number, 1);
  }
  while (level.entries.length > 0) {
    const below = new Level(index.size);
    for await (const { entry, nodes } of readTrees({ ...parts, onDamaged }, level.entries)) {
      const owner = level.owner(entry);
      const times = level.times(entry);
      numbers[entry] = Math.min(numbers[entry]!, owner);
      for (const node of nodes) {
        if (node.type === "dir") {
          below.add(mustBeThere(findTree(index, node.subtree), node.subtree), owner, times);
        }
        if (node.type !== "file") continue;
        fileBytes += node.sizeBytes * times;
        const ids = node.content.bytes;
        for (let at = 0; at < ids.length; at += 32) {
          const blob = index.find(ids, at, "data");
          if (blob < 0) mustBeThere(blob, ids.toString("hex", at, at + 32));
          numbers[blob] = Math.min(numbers[blob]!, owner);
        }
      }
    }
    level = below;
  }
  return { numbers, fileBytes };
}

function mustBeThere(entry: number, id: string): number {
  if (entry >= 0) return entry;
  throw missing(`a snapshot needs blob ${id.slice(0, 8)}, which is in no index`, id);
}

function missing(happened: string, blob: string): MemkeepError {
  return new MemkeepError("REPOSITORY_DAMAGED", {
    tried: "find out what the snapshots use",
    happened,
    next: "Run `memkeep verify --level stored`, then `memkeep repository repair`.",
    details: { blob },
  });
}
