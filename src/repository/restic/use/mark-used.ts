/** Which blobs the snapshots use: what prune must keep. */
import { MemkeepError } from "../../../domain/errors.ts";
import type { LoadedSnapshot } from "../objects/snapshot-info.ts";
import { Bitmap } from "./bitmap.ts";
import { eachTree, findTree, type TreeParts } from "./read-trees.ts";

/**
 * One bit for each entry of the index that a snapshot uses; of a blob with copies, the bit of the entry that `find`
 * gives. `REPOSITORY_DAMAGED` when a tree cannot be read or a blob is in no index: nothing may be removed then, for
 * what else is in use cannot be known.
 */
export async function markUsed(parts: TreeParts, snapshots: readonly LoadedSnapshot[]): Promise<Bitmap> {
  const { index } = parts;
  const used = new Bitmap(index.size);
  const roots = snapshots.map(({ tree, info }) =>
    mustFind(findTree(index, tree), tree, `snapshot ${info.id}`),
  );
  for (const root of roots) used.add(root);
  for await (const { entry, nodes } of eachTree(parts, roots)) {
    const folder = `folder ${index.id(entry).toString("hex")}`;
    for (const node of nodes) {
      if (node.type === "dir") used.add(mustFind(findTree(index, node.subtree), node.subtree, folder));
      if (node.type !== "file") continue;
      const ids = node.content.bytes;
      for (let at = 0; at < ids.length; at += 32) {
        const blob = index.find(ids, at, "data");
        if (blob < 0) mustFind(blob, ids.toString("hex", at, at + 32), folder);
        used.add(blob);
      }
    }
  }
  return used;
}

function mustFind(entry: number, id: string, user: string): number {
  if (entry >= 0) return entry;
  throw new MemkeepError("REPOSITORY_DAMAGED", {
    tried: "find out what the snapshots use",
    happened: `${user} needs blob ${id.slice(0, 8)}, which is in no index`,
    next: "Nothing was removed. Run `memkeep verify --level stored`, then `memkeep repository repair`.",
  });
}
