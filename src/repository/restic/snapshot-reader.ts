/** Reads one snapshot: its files by path, whole or in part. */
import { MemkeepError } from "../../domain/errors.ts";
import type { SnapshotFileInfo, SnapshotInfo, SnapshotReader } from "../repository.ts";
import type { BlobIndex } from "./index/blob-index.ts";
import type { StreamLoader } from "./pipeline/stream-loader.ts";
import type { ContentList, FileNode } from "./tree/node.ts";
import { findFile, type TreeReader, walkFiles } from "./tree/walk-tree.ts";

export interface SnapshotReaderParts {
  readonly info: SnapshotInfo;
  readonly tree: string;
  readonly readTree: TreeReader;
  readonly index: BlobIndex;
  readonly loader: StreamLoader;
}

export class ResticSnapshotReader implements SnapshotReader {
  readonly info: SnapshotInfo;
  readonly #parts: SnapshotReaderParts;
  /** `<path of the snapshot>/`: memkeep's files lie below the stack's folder, other writers' anywhere. */
  readonly #prefix: string;

  constructor(parts: SnapshotReaderParts) {
    this.info = parts.info;
    this.#parts = parts;
    this.#prefix = parts.info.stack === undefined ? "" : `${parts.info.paths[0]!.slice(1)}/`;
  }

  async files(): Promise<readonly SnapshotFileInfo[]> {
    const files: SnapshotFileInfo[] = [];
    for await (const { path, node } of walkFiles(this.#parts.readTree, this.#parts.tree)) {
      const inside = path.startsWith(this.#prefix) ? path.slice(this.#prefix.length) : path;
      files.push({ path: inside, sizeBytes: node.sizeBytes });
    }
    return files;
  }

  async *read(path: string, range?: { offset: number; length: number }): AsyncGenerator<Buffer> {
    const node = await findFile(this.#parts.readTree, this.#parts.tree, this.#prefix + path);
    if (!node) {
      throw new MemkeepError("SNAPSHOT_NOT_FOUND", {
        tried: `read ${path} of snapshot ${this.info.id.slice(0, 8)}`,
        happened: "it has no such file",
        next: `Run \`memkeep ls ${this.info.id.slice(0, 8)}\` to see what it has.`,
      });
    }
    const wanted = range ?? { offset: 0, length: node.sizeBytes };
    const { entries, skipBytes } = this.#entries(node, wanted, path);
    let skip = skipBytes;
    let left = Math.min(wanted.length, node.sizeBytes - wanted.offset);
    const expected = left;
    for await (const bytes of this.#parts.loader.load(entries)) {
      const part = bytes.subarray(skip, skip + left);
      skip = Math.max(0, skip - bytes.length);
      left -= part.length;
      if (part.length > 0) yield part;
    }
    // A node whose size says more than its chunks hold would otherwise be a silently short file (law 3).
    if (left > 0) throw this.#damaged(path, `it has ${expected - left} of ${expected} bytes`);
  }

  /** Index entries of the chunks that a range touches, and the bytes of the first one that lie before it. */
  #entries(
    node: FileNode,
    range: { offset: number; length: number },
    path: string,
  ): { entries: number[]; skipBytes: number } {
    const { index } = this.#parts;
    const entries: number[] = [];
    let skipBytes = 0;
    let at = 0;
    const end = range.offset + range.length;
    for (let chunk = 0; chunk < node.content.count && at < end; chunk++) {
      const entry = this.#find(node.content, chunk, path);
      const length = index.plainLength(entry);
      if (at + length > range.offset) {
        if (entries.length === 0) skipBytes = range.offset - at;
        entries.push(entry);
      }
      at += length;
    }
    if (range.offset === 0 && end >= node.sizeBytes && at !== node.sizeBytes) {
      throw this.#damaged(path, `its chunks hold ${at} bytes, its entry says ${node.sizeBytes}`);
    }
    return { entries, skipBytes };
  }

  #find(content: ContentList, chunk: number, path: string): number {
    const entry = this.#parts.index.find(content.bytes, chunk * 32, "data");
    if (entry < 0) throw this.#damaged(path, `chunk ${chunk + 1} of ${content.count} is in no index`);
    return entry;
  }

  #damaged(path: string, happened: string): MemkeepError {
    return new MemkeepError("REPOSITORY_DAMAGED", {
      tried: `read ${path} of snapshot ${this.info.id.slice(0, 8)}`,
      happened,
      next: "Run `memkeep verify --level stored`, then `memkeep repository repair`.",
    });
  }
}
