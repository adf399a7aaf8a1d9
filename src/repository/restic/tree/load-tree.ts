/** Reads one folder of a snapshot. */
import { MemkeepError } from "../../../domain/errors.ts";
import type { BlobIndex } from "../index/blob-index.ts";
import type { StreamLoader } from "../pipeline/stream-loader.ts";
import { decodeTree } from "./decode-tree.ts";
import type { Node } from "./node.ts";

/** The nodes of the folder with this tree id, hex. `REPOSITORY_DAMAGED` when it cannot be had. */
export async function loadTree(index: BlobIndex, loader: StreamLoader, id: string): Promise<Node[]> {
  const entry = index.find(Buffer.from(id, "hex"), 0, "tree");
  if (entry < 0) {
    throw new MemkeepError("REPOSITORY_DAMAGED", {
      tried: "read a folder of a snapshot",
      happened: `its tree ${id.slice(0, 8)} is in no index`,
      next: "Run `memkeep repository repair` to rebuild the index from the packs.",
    });
  }
  // One blob comes in one piece, and its memory is given back when it is decoded.
  for await (const bytes of loader.load([entry])) return decodeTree(bytes);
  return decodeTree(Buffer.alloc(0));
}
