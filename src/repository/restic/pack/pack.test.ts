import { hash } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { generateMasterKey } from "../crypto/master-key.ts";
import { createSealer } from "../crypto/seal.ts";
import { PackBuilder } from "./pack-builder.ts";
import { decodeHeader, encodeHeader, type PackEntry } from "./pack-header.ts";

const sealer = createSealer(generateMasterKey());

const blobs = fc.array(
  fc.record({
    id: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes)),
    type: fc.constantFrom("data" as const, "tree" as const),
    length: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    uncompressedLength: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 2 ** 32 - 1 })),
  }),
);

function placed(list: readonly Omit<PackEntry, "offset">[]): PackEntry[] {
  let offset = 0;
  return list.map((blob) => {
    const entry = { ...blob, offset };
    offset += blob.length;
    return entry;
  });
}

describe("pack header", () => {
  test("what is written is what is read", () => {
    fc.assert(
      fc.property(blobs, (list) => {
        expect(decodeHeader(encodeHeader(placed(list)))).toEqual(placed(list));
      }),
    );
  });

  test("law 12: any bytes are a header or refused", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        try {
          expect(encodeHeader(decodeHeader(Buffer.from(bytes)))).toEqual(Buffer.from(bytes));
        } catch (error) {
          expect(error).toMatchObject({ code: "REPOSITORY_DAMAGED" });
        }
      }),
    );
  });
});

test("a pack is its blobs, the sealed header and the header's length, and its name is its hash", async () => {
  const contents = fc.array(fc.uint8Array({ minLength: 1, maxLength: 5000 }), {
    minLength: 1,
    maxLength: 30,
  });
  await fc.assert(
    fc.asyncProperty(contents, async (plain) => {
      const builder = new PackBuilder();
      const sealed = plain.map((bytes) => sealer.seal(bytes));
      const ids = plain.map((bytes) => hash("sha256", bytes, "buffer"));
      for (const [number, bytes] of sealed.entries()) builder.add("data", bytes, ids[number]!, 0, 0);
      const pack = await builder.finish(sealer, (input, length) =>
        Promise.resolve(hash("sha256", Buffer.from(input, 0, length))),
      );
      expect(hash("sha256", pack.bytes)).toBe(pack.id);
      const blobBytes = Buffer.concat(sealed);
      expect(pack.bytes.subarray(0, blobBytes.length)).toEqual(blobBytes);
      const headerBytes = pack.bytes.readUInt32LE(pack.bytes.length - 4);
      expect(blobBytes.length + headerBytes + 4).toBe(pack.bytes.length);
      const header = decodeHeader(sealer.open(pack.bytes.subarray(blobBytes.length, -4)));
      expect(header).toEqual(decodeHeader(pack.header));
      expect(header.map(({ id }) => id)).toEqual(ids);
    }),
    { numRuns: 40 },
  );
});
