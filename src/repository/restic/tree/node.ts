/** Tree nodes as restic writes them, and what memkeep needs of them. Field order and names: restic's design document. */
import type { BlobIndex } from "../index/blob-index.ts";
import { goJson, goTime } from "./go-json.ts";

/** The chunks of a file, in order. */
export interface Content {
  readonly count: number;
  /** The ids of the chunks from `from` to before `to`, hex, without anything between them. */
  hex(from: number, to: number): string;
}

/** Ids as they come out of a tree, 32 bytes each: a 10 GB file has half a million. */
export class ContentList implements Content {
  readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  get count(): number {
    return this.bytes.length / 32;
  }

  hex(from: number, to: number): string {
    return this.bytes.toString("hex", from * 32, to * 32);
  }
}

/** The same while a file is saved: every chunk is in an index, so its entry number, four bytes, is enough. */
export class IndexedContent implements Content {
  readonly #index: BlobIndex;
  #entries = new Uint32Array(1024);
  #count = 0;

  constructor(index: BlobIndex) {
    this.#index = index;
  }

  get count(): number {
    return this.#count;
  }

  push(entry: number): void {
    if (this.#count === this.#entries.length) {
      const grown = new Uint32Array(this.#count * 2);
      grown.set(this.#entries);
      this.#entries = grown;
    }
    this.#entries[this.#count++] = entry;
  }

  hex(from: number, to: number): string {
    let hex = "";
    for (let chunk = from; chunk < to; chunk++) hex += this.#index.id(this.#entries[chunk]!).toString("hex");
    return hex;
  }
}

/** A file to be written into a tree. */
export interface NewFileNode {
  readonly type: "file";
  readonly name: string;
  readonly sizeBytes: number;
  readonly content: Content;
}

export interface FileNode extends NewFileNode {
  readonly content: ContentList;
}

export interface DirectoryNode {
  readonly type: "dir";
  readonly name: string;
  /** Id of the tree blob, hex. */
  readonly subtree: string;
}

/** A node of another kind (link, device …), as stock restic may have written it; memkeep only names it. */
export interface OtherNode {
  readonly type: "other";
  readonly name: string;
  readonly kind: string;
}

export type Node = FileNode | DirectoryNode | OtherNode;

export interface NodeStamp {
  /** Milliseconds since 1970, for all three times of the node. */
  readonly timeMs: number;
  readonly uid: number;
  readonly gid: number;
}

const directoryMode = 2 ** 31 + 0o700;
const fileMode = 0o600;
/** Parts of 70 KB: larger strings outlive a collection of young objects, and stay resident (law 11). */
const idsPerPart = 1024;

/**
 * A tree blob's bytes, in parts, so that a long content list never becomes one string. Nodes are sorted by the bytes
 * of their names. Modes are private (law 10), times and owner those of the stamp; all are always present, since
 * restic restores a missing mode as 000 and a missing time as 1901.
 */
export function* encodeTree(
  nodes: readonly (NewFileNode | DirectoryNode)[],
  stamp: NodeStamp,
): Generator<Buffer> {
  const sorted = [...nodes].sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
  yield Buffer.from('{"nodes":[');
  for (const [index, node] of sorted.entries()) {
    yield Buffer.from((index === 0 ? "" : ",") + goJson(header(node, stamp)).slice(0, -1));
    if (node.type === "dir") yield Buffer.from(`,"content":null,"subtree":"${node.subtree}"}`);
    else yield* encodeContent(node.content);
  }
  yield Buffer.from("]}\n");
}

function header(node: NewFileNode | DirectoryNode, stamp: NodeStamp): Record<string, unknown> {
  const time = goTime(stamp.timeMs);
  return {
    name: node.name,
    type: node.type,
    mode: node.type === "dir" ? directoryMode : fileMode,
    mtime: time,
    atime: time,
    ctime: time,
    uid: stamp.uid,
    gid: stamp.gid,
    ...(node.type === "file" && node.sizeBytes > 0 ? { size: node.sizeBytes } : {}),
  };
}

function* encodeContent(content: Content): Generator<Buffer> {
  if (content.count === 0) {
    yield Buffer.from(',"content":[]}');
    return;
  }
  for (let from = 0; from < content.count; from += idsPerPart) {
    const to = Math.min(content.count, from + idsPerPart);
    const hex = content.hex(from, to);
    const ids = Array.from({ length: to - from }, (_, id) => hex.slice(id * 64, id * 64 + 64));
    yield Buffer.from((from === 0 ? ',"content":["' : '","') + ids.join('","'));
  }
  yield Buffer.from('"]}');
}
