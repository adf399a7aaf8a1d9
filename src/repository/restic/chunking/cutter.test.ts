import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { averageShift, createBlockCutter, createGearCutter, type Cutter } from "./cutter.ts";
import { gearTable } from "./gear.ts";
import { chunkPolicy, longestChunkBytes } from "./policy.ts";

const table = gearTable("3da3358b4dc173");
const average = 256;
const GiB = 2 ** 30;

/** Cuts all bytes, shown to the cutter in pieces that end where `splits` says. */
function cutAll(cutter: Cutter, bytes: Uint8Array, splits: readonly number[] = [], offset = 0): number[] {
  const ends: number[] = [];
  let from = 0;
  for (const to of [...splits, bytes.length]) {
    for (;;) {
      const length = cutter.cut(bytes, from, to, offset + from, to === bytes.length);
      if (length <= 0) break;
      from += length;
      ends.push(from);
    }
  }
  return ends;
}

/** The rule in the plainest words: each hash from its 32 bytes, one byte at a time. */
function cutByRule(bytes: Uint8Array, averageBytes: number): number[] {
  const bits = Math.log2(averageBytes);
  const zeros = (hash: number, count: number): boolean => hash >>> (32 - count) === 0;
  const hashAt = (last: number): number => {
    let hash = 0;
    for (let at = last - 31; at <= last; at++) hash = (hash * 2 + table[bytes[at]!]!) % 2 ** 32;
    return hash < 0 ? hash + 2 ** 32 : hash;
  };
  const ends: number[] = [];
  for (let from = 0; from < bytes.length;) {
    let end = Math.min(bytes.length, from + averageBytes * 4);
    for (let last = from + averageBytes / 4; last < end; last++) {
      const wanted = last < from + averageBytes ? bits + 2 : bits - 2;
      if (zeros(hashAt(last), wanted)) end = last + 1;
    }
    ends.push(end);
    from = end;
  }
  return ends;
}

/** Random bytes, texts that repeat, runs of zeros. */
const file = fc
  .array(
    fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 3000, size: "max" }),
      fc
        .tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 100 }))
        .map(([part, times]) => Buffer.concat(Array.from({ length: times }, () => part))),
      fc.integer({ min: 1, max: 3000 }).map((length) => new Uint8Array(length)),
    ),
    { maxLength: 8 },
  )
  .map((parts) => Buffer.concat(parts));

describe("gear cutter", () => {
  const cutter = createGearCutter(table, average);

  test("cuts where the plain rule cuts", () => {
    fc.assert(
      fc.property(file, (bytes) => {
        expect(cutAll(cutter, bytes)).toEqual(cutByRule(bytes, average));
      }),
    );
  });

  test("cuts alike however the bytes arrive", () => {
    fc.assert(
      fc.property(file, fc.array(fc.nat(20_000)), (bytes, places) => {
        const splits = places.filter((place) => place < bytes.length).sort((a, b) => a - b);
        expect(cutAll(cutter, bytes, splits)).toEqual(cutAll(cutter, bytes));
      }),
    );
  });

  test("keeps every chunk but the last between a quarter of the average and four times it", () => {
    fc.assert(
      fc.property(file, (bytes) => {
        const ends = cutAll(cutter, bytes);
        const lengths = ends.map((end, chunk) => end - (ends[chunk - 1] ?? 0));
        for (const length of lengths.slice(0, -1)) {
          expect(length).toBeGreaterThan(average / 4);
          expect(length).toBeLessThanOrEqual(average * 4);
        }
        expect(ends.at(-1) ?? 0).toBe(bytes.length);
      }),
    );
  });

  test("finds its cuts again soon after an insertion or a deletion", () => {
    const bytes = fc.uint8Array({ minLength: 30_000, maxLength: 40_000, size: "max" });
    fc.assert(
      fc.property(
        bytes,
        fc.nat(10_000),
        fc.nat(200),
        fc.uint8Array({ maxLength: 200 }),
        (original, at, removed, inserted) => {
          const changed = Buffer.concat([
            original.subarray(0, at),
            inserted,
            original.subarray(at + removed),
          ]);
          const grown = changed.length - original.length;
          const before = new Set(cutAll(cutter, original).map((end) => end + grown));
          const after = cutAll(cutter, changed).filter((end) => end > at + inserted.length);
          const again = after.findIndex((end) => before.has(end));
          // Sixteen chunks: that no cut of many falls on the same place is less likely than one in millions.
          expect(again).toBeGreaterThanOrEqual(0);
          expect(again).toBeLessThan(16);
          expect(after.slice(again).every((end) => before.has(end))).toBe(true);
        },
      ),
    );
  });

  test("grows its chunks with the place in the file", () => {
    const zeros = new Uint8Array(average * 16);
    expect(cutAll(cutter, zeros, [], 0)[0]).toBe(average * 4);
    expect(cutAll(cutter, zeros, [], 4 * GiB)[0]).toBe(average * 8);
    expect(cutAll(cutter, zeros, [], 16 * GiB)[0]).toBe(average * 16);
    expect([0, 4 * GiB - 1, 4 * GiB, 16 * GiB - 1, 16 * GiB].map(averageShift)).toEqual([0, 0, 1, 1, 2]);
  });
});

test("block cutter: blocks at multiples of their size, however the bytes arrive", () => {
  const cutter = createBlockCutter(512);
  fc.assert(
    fc.property(file, fc.array(fc.nat(20_000)), (bytes, places) => {
      const splits = places.filter((place) => place < bytes.length).sort((a, b) => a - b);
      const ends = cutAll(cutter, bytes, splits);
      const expected = Array.from({ length: Math.ceil(bytes.length / 512) }, (_, block) =>
        Math.min(bytes.length, (block + 1) * 512),
      );
      expect(ends).toEqual(expected);
    }),
  );
});

test("no policy cuts a longer chunk than buffers are made for", () => {
  for (const kind of ["pages", "records", "vectors", "archive", "document"] as const) {
    expect(chunkPolicy(kind, table).cutter.maximumBytes).toBeLessThanOrEqual(longestChunkBytes);
  }
});

test("a file is cut as its parent was, whatever new files of its kind get", () => {
  expect(chunkPolicy("records", table).name).toBe("gear-16k");
  const { name, cutter } = chunkPolicy("records", table, "gear-8k");
  expect(name).toBe("gear-8k");
  const bytes = new Uint8Array(1e6).map((_, at) => Math.imul(at, 2_654_435_761) >>> 11);
  expect(cutAll(cutter, bytes)).toEqual(cutAll(chunkPolicy("vectors", table).cutter, bytes));
  expect(cutAll(cutter, bytes)).not.toEqual(cutAll(chunkPolicy("records", table).cutter, bytes));
});

test("a name of another version is not kept", () => {
  expect(chunkPolicy("pages", table, "toString").name).toBe("blocks-16k");
});
