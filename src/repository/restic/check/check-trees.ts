/** Walks the trees of all snapshots: can each be read, is every blob that it names in the index, do sizes add up? */
import { BlobIndex } from "../index/blob-index.ts";
import { packName } from "../pack/pack-name.ts";
import type { LoadedSnapshot } from "../objects/snapshot-info.ts";
import type { Premises } from "../premises.ts";
import type { FileNode, Node } from "../tree/node.ts";
import { eachTree, findTree } from "../use/read-trees.ts";
import { asDamage } from "./as-damage.ts";
import { type Damage, packRemedy, type Problem } from "./damage.ts";
import { Harm } from "./harm.ts";

export interface CheckedTrees {
  /** Blobs that trees name and no index has. */
  readonly lost: BlobIndex;
  readonly harm: Harm;
}

/** `lostProblem` is asked for when the first lost blob is met. */
export async function checkTrees(
  premises: Premises,
  index: BlobIndex,
  snapshots: readonly LoadedSnapshot[],
  damage: Damage,
  lostProblem: () => Problem,
): Promise<CheckedTrees> {
  const lost = new BlobIndex();
  const harm = new Harm();

  function lose(id: Buffer, at: number, type: "data" | "tree"): Problem {
    if (lost.find(id, at, type) < 0) lost.reserve(id, at, type);
    return lostProblem();
  }

  for (const { tree, info } of snapshots) {
    const root = findTree(index, tree);
    if (root >= 0) harm.addRoot(root, info.id);
    else lose(Buffer.from(tree, "hex"), 0, "tree").snapshots.add(info.id);
  }
  const { storage, signal } = premises;
  const trees = eachTree(
    {
      storage,
      signal,
      index,
      workers: premises.workers(),
      onDamaged: (entry, error) => {
        damage.addPack(index.packOf(entry), `a folder in it cannot be read: ${asDamage(error).message}`, [
          entry,
        ]);
        harm.addDirect(entry, damage.of(entry)!);
      },
    },
    harm.roots,
  );
  for await (const { entry, nodes } of trees) {
    for (const node of nodes) {
      const odd = oddName(node);
      if (odd !== undefined) harm.addDirect(entry, noteTree(damage, index, entry, odd));
      if (node.type === "dir") {
        const child = findTree(index, node.subtree);
        if (child >= 0) harm.addEdge(entry, child);
        else harm.addDirect(entry, lose(Buffer.from(node.subtree, "hex"), 0, "tree"));
      } else if (node.type === "file") {
        checkFile(node, entry);
      }
    }
  }
  return { lost, harm };

  function checkFile(node: FileNode, tree: number): void {
    const ids = node.content.bytes;
    let sizeBytes = 0;
    let known = true;
    for (let at = 0; at < ids.length; at += 32) {
      const blob = index.find(ids, at, "data");
      if (blob < 0) {
        known = false;
        harm.addDirect(tree, lose(ids, at, "data"));
        continue;
      }
      sizeBytes += index.plainLength(blob);
      const problem = damage.of(blob);
      if (problem) harm.addDirect(tree, problem);
    }
    if (!known || sizeBytes === node.sizeBytes) return;
    const text = `a folder in it says that ${JSON.stringify(node.name)} has ${node.sizeBytes} bytes, its chunks hold ${sizeBytes}`;
    harm.addDirect(tree, noteTree(damage, index, tree, text));
  }
}

/** A tree that is what its id says, but makes no sense: written wrong, not damaged. */
function noteTree(damage: Damage, index: BlobIndex, tree: number, text: string): Problem {
  return damage.add(packName(index.packId(index.packOf(tree))), text, packRemedy);
}

/** Names that no file may have (law 12). */
function oddName({ name }: Node): string | undefined {
  const odd = name === "" || name === "." || name === ".." || name.includes("/");
  return odd ? `a folder in it holds the name ${JSON.stringify(name)}` : undefined;
}
