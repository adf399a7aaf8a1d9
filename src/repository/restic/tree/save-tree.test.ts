import { hash, randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { createDecompressor } from "../crypto/compression.ts";
import { generateMasterKey } from "../crypto/master-key.ts";
import { createSealer } from "../crypto/seal.ts";
import { BlobIndex } from "../index/blob-index.ts";
import type { PackWriter } from "../pipeline/pack-writer.ts";
import { decodeTree } from "./decode-tree.ts";
import { ContentList } from "./node.ts";
import { saveTree } from "./save-tree.ts";

const key = generateMasterKey();

/** Takes what would go into packs. */
function collector(): { blobs: { sealed: Buffer; plainBytes: number }[]; writer: PackWriter } {
  const blobs: { sealed: Buffer; plainBytes: number }[] = [];
  const writer = {
    add(_type: string, sealed: Buffer, _ids: Buffer, _at: number, plainBytes: number) {
      blobs.push({ sealed, plainBytes });
    },
    async addLarge(
      _type: string,
      parts: AsyncIterable<Buffer>,
      _expected: number,
      _id: Buffer,
      plainBytes: number,
    ) {
      blobs.push({ sealed: Buffer.concat(await Array.fromAsync(parts)), plainBytes });
    },
  };
  return { blobs, writer: writer as unknown as PackWriter };
}

async function roundTrip(chunks: number): Promise<{ id: string; ids: Buffer; plain: Buffer }> {
  const ids = randomBytes(chunks * 32);
  const { blobs, writer } = collector();
  const target = { index: new BlobIndex(), writer, key, keyNumber: 0, failure: undefined };
  const node = { type: "file", name: "memory.db", sizeBytes: 1, content: new ContentList(ids) } as const;
  const id = await saveTree([node], { timeMs: 1e12, uid: 1, gid: 1 }, [target]);
  const [blob] = blobs;
  const plain = createDecompressor().decompress(createSealer(key).open(blob!.sealed), blob!.plainBytes);
  return { id, ids, plain };
}

describe("saveTree", () => {
  // Node's compressor ends streams with an empty second frame; a blob of two frames is not read back.
  it.each([0, 1, 5000, 60_000])(
    "stores a list of %i chunks as one frame that decodes to the same list",
    async (chunks) => {
      const { id, ids, plain } = await roundTrip(chunks);
      const [node] = decodeTree(plain);

      expect(hash("sha256", plain)).toBe(id);
      expect(node).toMatchObject({ type: "file", name: "memory.db", sizeBytes: 1 });
      expect(node!.type === "file" && node!.content.bytes.equals(ids)).toBe(true);
    },
  );
});
