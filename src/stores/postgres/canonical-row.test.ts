import fc from "fast-check";
import { expect, it } from "vitest";
import { RowDigester } from "./archive/digest-rows.ts";
import { canonicalKey, escapeCopy, longValueBytes, rowShape, unescapeCopy } from "./canonical-row.ts";

const text = fc.string({ unit: "binary" });
const columns = ["b", "a", "c"].map((name) => ({ name, isInteger: name === "a" }));

function digest(
  order: readonly number[],
  rows: readonly (readonly (string | null)[])[],
  pieces: readonly number[],
) {
  const shape = rowShape(
    order.map((place) => columns[place]!),
    ["a"],
  );
  const digester = new RowDigester("t", shape);
  const lines = rows.map((row) =>
    order.map((place) => escapeCopy(row[place]!).toString("latin1")).join("\t"),
  );
  const bytes = Buffer.from([...lines, "\\.", "", "", ""].join("\n"), "latin1");
  let at = 0;
  for (let piece = 0; at < bytes.length; piece++) {
    const end = Math.min(bytes.length, at + (pieces[piece % pieces.length] ?? bytes.length));
    digester.data(bytes, at, end);
    at = end;
  }
  digester.end();
  return digester.facts();
}

it("what COPY writes is read back", () => {
  fc.assert(
    fc.property(text, (value) => {
      const escaped = escapeCopy(value);
      expect(escaped.includes(9) || escaped.includes(10)).toBe(false);
      expect(unescapeCopy(escaped).toString()).toBe(value);
    }),
  );
});

it("the digest depends neither on the order of rows or columns, nor on how the stream is cut", () => {
  const row = fc.tuple(fc.option(text), text, fc.option(text));
  const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 });
  fc.assert(
    fc.property(fc.array(row), sizes, (rows, pieces) => {
      const whole = digest([0, 1, 2], rows, [1_000_000]);
      expect(digest([2, 0, 1], rows.toReversed(), pieces)).toEqual(whole);
      expect(whole.records).toBe(rows.length);
    }),
  );
});

it("a value that moves to another column, or becomes NULL, changes the digest", () => {
  const one = digest([0, 1, 2], [["x", "k", "y"]], [99]).contentDigest;
  expect(digest([0, 1, 2], [["y", "k", "x"]], [99]).contentDigest).not.toBe(one);
  expect(digest([0, 1, 2], [[null, "k", "y"]], [99]).contentDigest).not.toBe(one);
  expect(digest([0, 1, 2], [["\\N", "k", "y"]], [99]).contentDigest).not.toBe(
    digest([0, 1, 2], [[null, "k", "y"]], [99]).contentDigest,
  );
});

it("long values have the same digest however they are cut, and every byte of them counts", () => {
  const long = "v\\".repeat(longValueBytes);
  const rows = [
    [long, "1", `${long}x`],
    ["short", "2", null],
    [`${long}\t`, "3", "z"],
  ];
  const whole = digest([0, 1, 2], rows, [1 << 30]);
  expect(digest([0, 1, 2], rows, [65_536])).toEqual(whole);
  expect(digest([1, 2, 0], rows, [1_048_577, 3, 100_000])).toEqual(whole);
  const changed = [[`${long.slice(0, -2)}w\\`, "1", `${long}x`], ...rows.slice(1)];
  expect(digest([0, 1, 2], changed, [65_536]).contentDigest).not.toBe(whole.contentDigest);
});

it("keys: plain text, or a JSON array where that could be mistaken", () => {
  const id = [{ name: "id", isInteger: true }];
  const name = [{ name: "name", isInteger: false }];
  const key = (values: string[], of: typeof id): string =>
    canonicalKey(values.map(escapeCopy), of).toString();
  expect(key(["7"], id)).toBe("7");
  expect(key(["a\tb"], name)).toBe("a\tb");
  expect(key(["[x"], name)).toBe('["[x"]');
  expect(key(["a", "7"], [...name, ...id])).toBe('["a",7]');
});

it("a cut dump is an error", () => {
  const shape = rowShape([{ name: "a", isInteger: false }], undefined);
  for (const text of ["x\n", "x", "", "x\ty\n\\.\n"]) {
    const digester = new RowDigester("t", shape);
    const bytes = Buffer.from(text);
    expect(() => {
      digester.data(bytes, 0, bytes.length);
      digester.end();
    }, text).toThrow(/t in the dump/);
  }
});
