import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isMemkeepError } from "../../domain/errors.ts";
import { anyValue } from "./testing.ts";
import { readPlainJson, readValue } from "./json-read.ts";
import { maxDepth, writeValue } from "./json-write.ts";
import { Tagged, compareUtf8 } from "./value.ts";
import type { PlacedVector, Value } from "./value.ts";

/** Writes, reads, and puts the vectors' bytes back as their files would. */
function roundTrip(value: Value): { text: string; read: Value } {
  const written: PlacedVector[] = [];
  const text = writeValue(value, written);
  const found: PlacedVector[] = [];
  const read = readValue(text, found);
  expect(found.map(({ field }) => field)).toEqual(written.map(({ field }) => field));
  for (const [index, { vector }] of found.entries()) vector.bytes = written[index]!.vector.bytes;
  return { text, read };
}

/** Takes the sign off that tells a key which begins with a dollar from a tag. */
function untagged(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(untagged);
  if (typeof value !== "object" || value === null) return value;
  const plain = (key: string): string => (key.startsWith("$$") ? key.slice(1) : key);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [plain(key), untagged(inner)]));
}

describe("values as JSON text", () => {
  test("every value comes back, and writes the same text again", () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        const { text, read } = roundTrip(value);
        expect(() => JSON.parse(text) as unknown).not.toThrow();
        expect(text).not.toContain("\n");
        expect(writeValue(read)).toBe(writeValue(value));
        expect(roundTrip(read).text).toBe(text);
      }),
      { numRuns: 2000 },
    );
  });

  test("any JSON that knows nothing of tags reads as it is", () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(untagged(JSON.parse(writeValue(readPlainJson(text))))).toEqual(JSON.parse(text));
      }),
    );
  });

  test("what is no value is refused in words, whatever it is", () => {
    const pieces = fc.constantFrom(
      ...'{}[]",:\\$u09.eE-+ tfn\n\u0000'.split(""),
      "$vector",
      "f4[3]",
      "data",
      "true",
      "1e5",
    );
    const garbage = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.array(pieces).map((parts) => parts.join("")),
    );
    fc.assert(
      fc.property(garbage, (text) => {
        try {
          readValue(text);
        } catch (error) {
          if (!isMemkeepError(error, "DUMP_DAMAGED")) throw error;
        }
      }),
      { numRuns: 5000 },
    );
  });

  test("what it takes for plain JSON, JSON.parse takes as well, and the reverse", () => {
    const pieces = fc.constantFrom(
      ...'{}[]",:\\u09.eE-+ '.split(""),
      '"a"',
      "true",
      "1e5",
      "-0",
      "0.5",
      "null",
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.json(),
          fc.array(pieces).map((parts) => parts.join("")),
        ),
        (text) => {
          // Two members of one name are the one thing that JSON.parse takes silently.
          const own = accepts(() => readPlainJson(text));
          const stock = accepts(() => JSON.parse(text));
          expect(own && !stock).toBe(false);
          if (stock && !own) expect(text).toMatch(/".*".*"/s);
        },
      ),
      { numRuns: 5000 },
    );
  });

  test.each([
    [1n, "1"],
    [1, "1.0"],
    [-0, "-0.0"],
    [0, "0.0"],
    [1e21, "1e+21"],
    [2 ** 53, "9007199254740992.0"],
    [2n ** 64n - 1n, "18446744073709551615"],
    [0.1 + 0.2, "0.30000000000000004"],
    [5e-324, "5e-324"],
    [NaN, '{"$double":"NaN"}'],
    [-Infinity, '{"$double":"-Infinity"}'],
    [Buffer.from("memory"), '{"$bytes":"bWVtb3J5"}'],
    [new Tagged("date", "2026-11-21"), '{"$date":"2026-11-21"}'],
    [{ $bytes: "x", $: null, a: {} }, '{"$$":null,"$$bytes":"x","a":{}}'],
    ["\ud800", '"\\ud800"'],
  ] as const)("%o is written as %s", (value, text) => {
    expect(writeValue(value)).toBe(text);
    expect(writeValue(readValue(text))).toBe(text);
  });

  test("members stand in the order of their UTF-8 bytes", () => {
    expect(writeValue({ "\u{10000}": 1n, "\uffff": 2n, b: 3n, 10: 4n, 9: 5n })).toBe(
      '{"10":4,"9":5,"b":3,"\uffff":2,"\u{10000}":1}',
    );
    const whole = fc.string({ unit: "grapheme" });
    fc.assert(
      fc.property(whole, whole, (a, b) => {
        expect(Math.sign(compareUtf8(a, b))).toBe(Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b))));
      }),
    );
  });

  test.each(['{"a":1,"a":2}', '{"a":{"b":1,"b":1}}', '{"$$a":1,"$$a":1}', '{"__proto__":1,"__proto__":2}'])(
    "two members of one name are refused, where other readers keep the last without a word: %s",
    (text) => {
      expect(() => readValue(text)).toThrow(/two members of one name/);
      expect(() => readPlainJson(text)).toThrow(/two members of one name/);
    },
  );

  test("a name is escaped once on the way out and once on the way in, whatever it begins with", () => {
    for (const name of ["$", "$$", "$$$a", "$vector", "$bytes", "$unknown", "a$"]) {
      const written = writeValue({ [name]: 1n, b: { [name]: "x" } });
      expect(writeValue(readValue(written))).toBe(written);
      expect(Object.keys(readValue(written) as object)).toContain(name);
      // In a store's own JSON it is a name like any other.
      expect(Object.keys(readPlainJson(`{${JSON.stringify(name)}:1}`) as object)).toEqual([name]);
    }
    for (const tagged of [
      '{"$bytes":"AA==","b":1}',
      '{"b":1,"$bytes":"AA=="}',
      '{"$vector":"f4[2]","x":1}',
      '{"$double":"0"}',
    ])
      expect(() => readValue(tagged), tagged).toThrow();
    expect(readValue('{"$later":{"x":[1]}}')).toEqual(new Tagged("later", { x: [1n] }));
  });

  test("nesting ends at a limit, not with the stack", () => {
    expect(() => readValue("[".repeat(1_000_000))).toThrow(/nested deeper/);
    const deep = "[".repeat(maxDepth) + "]".repeat(maxDepth);
    expect(writeValue(readValue(deep))).toBe(deep);
    expect(() => readValue(`[${deep}]`)).toThrow(/nested deeper/);
  });
});

function accepts(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch {
    return false;
  }
}
