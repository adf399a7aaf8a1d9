import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  readDate,
  readDateTime,
  readOffset,
  readTime,
  writeDate,
  writeDateTime,
  writeOffset,
  writeTime,
} from "./temporal.ts";

test.each([
  [0n, "1970-01-01"],
  [-1n, "1969-12-31"],
  [11_016n, "2000-02-29"],
  [-719_528n, "0000-01-01"],
  [-719_529n, "-0001-12-31"],
  [2_932_897n, "+10000-01-01"],
  [365_241_780_471n, "+999999999-12-31"],
])("day %d is %s", (days, text) => {
  expect(writeDate(days)).toBe(text);
  expect(readDate(text)).toBe(days);
});

test("days agree with JavaScript's calendar where it has one", () => {
  fc.assert(
    fc.property(fc.integer({ min: -700_000, max: 2_900_000 }), (days) => {
      expect(writeDate(BigInt(days))).toBe(new Date(days * 86_400_000).toISOString().slice(0, 10));
    }),
  );
});

test("every instant, time and offset comes back", () => {
  const nanos = fc.bigInt({ min: 0n, max: 999_999_999n });
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }), nanos, (epochSeconds, nanos) => {
      expect(readDateTime(writeDateTime(epochSeconds, nanos))).toEqual({ epochSeconds, nanos });
    }),
  );
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 86_399_999_999_999n }), (time) => {
      expect(readTime(writeTime(time))).toBe(time);
    }),
  );
  fc.assert(
    fc.property(fc.integer({ min: -64_800, max: 64_800 }), (offset) => {
      expect(readOffset(writeOffset(offset))).toBe(offset);
    }),
  );
  expect(writeOffset(-1800)).toBe("-00:30");
});

test.each(["2026-02-30", "2026-1-1", "10000-01-01", "2026-11-21T10:00", "x"])("%s is no date", (text) => {
  expect(readDate(text)).toBeUndefined();
  expect(readDateTime(text)).toBeUndefined();
});
