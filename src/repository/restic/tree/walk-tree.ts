/** Walks the folders of a snapshot. */
import { MemkeepError } from "../../../domain/errors.ts";
import type { FileNode, Node } from "./node.ts";

/** Gives the nodes of the folder with this tree id (hex). */
export type TreeReader = (id: string) => Promise<readonly Node[]>;

export interface WalkedFile {
  readonly path: string;
  readonly node: FileNode;
}

/** All files below a folder, depth first. Names are data: one with a `/`, or `.` or `..`, is an error (law 12). */
export async function* walkFiles(read: TreeReader, tree: string, prefix = ""): AsyncGenerator<WalkedFile> {
  for (const node of await read(tree)) {
    if (node.name === "" || node.name === "." || node.name === ".." || node.name.includes("/")) {
      throw new MemkeepError("REPOSITORY_DAMAGED", {
        tried: "list the files of a snapshot",
        happened: `it holds the name ${JSON.stringify(node.name)}, which no file may have`,
      });
    }
    const path = prefix === "" ? node.name : `${prefix}/${node.name}`;
    if (node.type === "dir") yield* walkFiles(read, node.subtree, path);
    else if (node.type === "file") yield { path, node };
  }
}

/** The file at a `/`-separated path, or undefined. Reads only the folders on the way. */
export async function findFile(read: TreeReader, tree: string, path: string): Promise<FileNode | undefined> {
  const segments = path.split("/");
  let id = tree;
  for (const [depth, segment] of segments.entries()) {
    const node = (await read(id)).find((candidate) => candidate.name === segment);
    if (!node) return undefined;
    if (depth === segments.length - 1) return node.type === "file" ? node : undefined;
    if (node.type !== "dir") return undefined;
    id = node.subtree;
  }
  return undefined;
}
