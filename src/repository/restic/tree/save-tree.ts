/** Stores tree blobs, in parts: hashed once, compressed and sealed for each repository that lacks them. */
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { constants, createZstdCompress } from "node:zlib";
import type { MasterKey } from "../crypto/master-key.ts";
import { startSealing } from "../crypto/seal-stream.ts";
import type { Target } from "../pipeline/stream-saver.ts";
import { type DirectoryNode, encodeTree, type NewFileNode, type NodeStamp } from "./node.ts";

export interface TreeTarget extends Target {
  readonly key: MasterKey;
}

/**
 * Saves one folder and gives its id, hex. The JSON is made anew for the hash and for each compressor, rather than kept: the list of a 10 GB file's chunks is 40 MB of it. A target that fails is marked and left out.
 */
export async function saveTree(
  nodes: readonly (NewFileNode | DirectoryNode)[],
  stamp: NodeStamp,
  targets: readonly TreeTarget[],
): Promise<string> {
  const hash = createHash("sha256");
  let plainBytes = 0;
  for (const part of encodeTree(nodes, stamp)) {
    hash.update(part);
    plainBytes += part.length;
  }
  const id = hash.digest();
  for (const target of targets) {
    if (target.failure || target.index.find(id, 0, "tree") >= 0) continue;
    target.index.reserve(id, 0, "tree");
    try {
      await add(target, id, plainBytes, () => sealed(target.key, encodeTree(nodes, stamp)));
    } catch (error) {
      target.failure ??= error instanceof Error ? error : new Error(String(error));
    }
  }
  return id.toString("hex");
}

/** From this on a tree gets a pack of its own and is never whole in memory but there. */
const largeBytes = 2 ** 20;

async function add(
  target: TreeTarget,
  id: Buffer,
  plainBytes: number,
  parts: () => AsyncGenerator<Buffer>,
): Promise<void> {
  if (plainBytes < largeBytes) {
    const blob = Buffer.concat(await Array.fromAsync(parts()));
    await target.writer.add("tree", blob, id, 0, plainBytes, true);
    return;
  }
  // Nearly all of it is ids in hex, which compress to a little more than half.
  await target.writer.addLarge("tree", parts(), Math.ceil(plainBytes * 0.54), id, plainBytes);
}

/** Compressed and sealed on the way. */
async function* sealed(key: MasterKey, parts: Iterable<Buffer>): AsyncGenerator<Buffer> {
  const compressor = createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: 3 } });
  const seal = startSealing(key);
  const compressed: AsyncIterable<Buffer> = Readable.from(parts, { objectMode: false }).pipe(compressor);
  for await (const part of withoutEmptyFrame(compressed)) yield seal.update(part);
  yield seal.finish();
}

/** A zstd frame with nothing in it. */
const emptyFrame = Buffer.from("28b52ffd2000010000", "hex");

/** Node's compressor ends most streams with a second, empty frame (seen in 24.21). A blob is one frame. */
async function* withoutEmptyFrame(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let tail: Buffer = Buffer.alloc(0);
  for await (const part of stream) {
    const bytes = Buffer.concat([tail, part]);
    const end = Math.max(0, bytes.length - emptyFrame.length);
    tail = bytes.subarray(end);
    if (end > 0) yield bytes.subarray(0, end);
  }
  if (!tail.equals(emptyFrame)) yield tail;
}
