import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { PackEntry } from "../pack/pack-header.ts";
import { BlobIndex } from "./blob-index.ts";
import { encodeIndex, type IndexedPack, readIndex } from "./index-file.ts";
import { PackContents } from "./pack-contents.ts";

/** Few different ids, so that the same blob lies in several packs. */
const id = fc.integer({ min: 0, max: 40 }).map((seed) => Buffer.alloc(32, seed));
const blob = fc.record({
  id,
  type: fc.constantFrom("data" as const, "tree" as const),
  length: fc.integer({ min: 33, max: 2 ** 32 - 2 }),
  uncompressedLength: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 2 ** 32 - 1 })),
});

interface TestPack extends IndexedPack {
  readonly entries: readonly PackEntry[];
}

const pack: fc.Arbitrary<TestPack> = fc
  .record({ id: fc.uint8Array({ minLength: 32, maxLength: 32 }), blobs: fc.array(blob, { maxLength: 12 }) })
  .map(({ id, blobs }) => {
    let offset = 0;
    const entries = blobs.map((blob): PackEntry => {
      const at = offset % 2 ** 32;
      offset += blob.length;
      return { ...blob, offset: at };
    });
    return { id: Buffer.from(id).toString("hex"), entries };
  });
const packs = fc.uniqueArray(pack, { selector: ({ id }) => id, maxLength: 12 });

function entriesOf(index: BlobIndex): unknown[] {
  return Array.from({ length: index.size }, (_, entry) => {
    const { pack, ...place } = index.placeOf(entry);
    return {
      ...place,
      pack: index.packId(pack),
      id: index.id(entry).toString("hex"),
      type: index.type(entry),
    };
  });
}

function listed(all: readonly TestPack[]): unknown[] {
  return all.flatMap(({ id: pack, entries }) =>
    entries.map((entry) => ({ ...entry, pack, id: entry.id.toString("hex") })),
  );
}

describe("index files", () => {
  test("what is written is what is read", () => {
    fc.assert(
      fc.property(packs, (all) => {
        const index = new BlobIndex();
        readIndex(encodeIndex(all), index);
        expect(entriesOf(index)).toEqual(listed(all));
      }),
    );
  });

  test("any other spelling of the same JSON reads the same, also from the middle on", () => {
    fc.assert(
      fc.property(packs, packs, fc.integer({ min: 0, max: 3 }), (plain, odd, indent) => {
        const spelled = JSON.stringify(JSON.parse(encodeIndex(odd).toString()).packs, undefined, indent);
        const both = encodeIndex(plain)
          .toString()
          .replace(/\]\}$/, `${plain.length > 0 && odd.length > 0 ? "," : ""}${spelled.slice(1, -1)}]}`);
        const index = new BlobIndex();
        readIndex(Buffer.from(both), index);
        expect(entriesOf(index)).toEqual(listed([...plain, ...odd]));
      }),
    );
  });

  test.each(["", "{}", "[]", '{"packs":[{"id":"x","blobs":[]}]}', '{"packs":[', '{"packs":[{"id":7}]}'])(
    "law 12: refuses %j",
    (json) => {
      expect(() => readIndex(Buffer.from(json), new BlobIndex())).toThrow(/index/);
    },
  );
});

describe("blob index", () => {
  test("finds what was added: the first copy, and all copies in order", () => {
    fc.assert(
      fc.property(fc.array(blob, { maxLength: 200 }), (blobs) => {
        const index = new BlobIndex();
        const known = new Map<string, number[]>();
        for (const [number, { id, type }] of blobs.entries()) {
          const key = `${type}${id.toString("hex")}`;
          expect(index.find(id, 0, type)).toBe(known.get(key)?.[0] ?? -1);
          index.add(id, 0, type, { pack: 0, offset: 0, length: 33, uncompressedLength: 0 });
          known.set(key, [...(known.get(key) ?? []), number]);
        }
        for (const copies of known.values())
          for (const entry of copies) expect(index.copies(entry)).toEqual(copies);
      }),
    );
  });

  test("holds more entries than a segment", () => {
    const index = new BlobIndex();
    const ids = Buffer.alloc(32 * 40_000);
    for (let entry = 0; entry < 40_000; entry++) {
      ids.writeUInt32LE((entry * 2_654_435_761) >>> 0, entry * 32);
      index.reserve(ids, entry * 32, "data");
    }
    for (let entry = 0; entry < 40_000; entry += 97) expect(index.find(ids, entry * 32, "data")).toBe(entry);
    expect(index.isPlaced(39_999)).toBe(false);
  });
});

test("pack contents: each pack's entries once and in order, also where two index files list it", () => {
  fc.assert(
    fc.property(packs, fc.infiniteStream(fc.boolean()), (all, again) => {
      const index = new BlobIndex();
      for (const pack of all) readIndex(encodeIndex([pack]), index);
      for (const pack of all)
        if (again.next().value)
          readIndex(encodeIndex([{ ...pack, entries: pack.entries.toReversed() }]), index);
      const contents = new PackContents(index);
      for (const { id, entries } of all) {
        const distinct = entries.filter((entry, at) => entry.offset >= (entries[at - 1]?.offset ?? 0));
        if (distinct.length < entries.length) continue;
        expect(contents.packEntries(index.packNumber(id))).toEqual(entries);
      }
    }),
  );
});
