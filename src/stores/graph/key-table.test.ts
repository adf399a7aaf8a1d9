import * as fc from "fast-check";
import { expect, test } from "vitest";
import { KeyIndex } from "./key-index.ts";
import { KeyTable } from "./key-table.ts";

const key = fc.oneof(
  fc.uuid(),
  fc.string({ unit: "binary", minLength: 1 }),
  fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => `#${Buffer.from(bytes).toString("hex")}`),
  fc.constantFrom("x".repeat(2_000_000), "00000000-0000-0000-0000-00000000000G", "#ABCDEF"),
);

test("a table gives back every key, packed or not, for ids near and far", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.oneof(fc.nat(10_000), fc.nat()), key, fc.nat(3)), { maxLength: 15 }),
      (entries) => {
        const table = new KeyTable();
        const expected = new Map<number, { key: Buffer; ordinal: number }>();
        for (const [id, text, ordinal] of entries) {
          table.set(id, Buffer.from(text));
          table.setOrdinal(id, ordinal);
          expected.set(id, { key: Buffer.from(text), ordinal });
        }
        for (const [id, found] of expected) expect(table.get(id)).toEqual(found);
        expect(table.get(2 ** 33)).toBeUndefined();
      },
    ),
    { numRuns: 20 },
  );
});

test("an index finds every reference among a hundred thousand, and no other", () => {
  const index = new KeyIndex();
  for (let id = 0; id < 100_000; id++) index.set(`"memory-${id}"`, id);
  for (let id = 0; id < 100_000; id += 7) expect(index.get(`"memory-${id}"`)).toBe(id);
  expect(index.get('"memory-100000"')).toBeUndefined();
  expect(index.get("")).toBeUndefined();
});
