import { expect, test } from "vitest";
import { parseDuration } from "./duration.ts";
import { parseInstant } from "./instant.ts";
import { nameFrom, namePattern } from "./name.ts";
import { nearestName } from "./nearest.ts";
import { parsePercentage } from "./percentage.ts";
import { parseSize } from "./size.ts";

test.each([
  ["30s", 30_000],
  ["5m", 300_000],
  ["24h", 86_400_000],
  ["7d", 604_800_000],
  ["1h30m", 5_400_000],
  ["1.5h", 5_400_000],
  ["250ms", 250],
  ["0", 0],
  ["5", undefined],
  ["5 m", undefined],
  ["-5m", undefined],
  ["m", undefined],
  ["5x", undefined],
  ["", undefined],
  [`${"9".repeat(20)}w`, undefined],
])("the duration %j is %j ms", (text, expected) => {
  expect(parseDuration(text)).toBe(expected);
});

test.each([
  ["1024", 1024],
  ["1024B", 1024],
  ["500MB", 500_000_000],
  ["1.5 GB", 1_500_000_000],
  ["16KiB", 16_384],
  ["2Gi", 2_147_483_648],
  ["1e9", undefined],
  ["-1MB", undefined],
  ["MB", undefined],
  ["99999999999TB", undefined],
])("the size %j is %j bytes", (text, expected) => {
  expect(parseSize(text)).toBe(expected);
});

test.each([
  ["5%", 0.05],
  ["0.5 %", 0.005],
  ["100%", 1],
  ["101%", undefined],
  ["5", undefined],
])("the percentage %j is %j", (text, expected) => {
  expect(parsePercentage(text)).toBe(expected);
});

test.each([
  ["2026-11-20T02:00:00Z", Date.UTC(2026, 10, 20, 2, 0, 0, 999)],
  ["2026-11-20 02:00:00.000 UTC", Date.UTC(2026, 10, 20, 2)],
  ["2026-11-20T02:00:00.000+02:00", Date.UTC(2026, 10, 20, 0)],
  ["2026-11-20 02:00", new Date(2026, 10, 20, 2, 0, 59, 999).getTime()],
  ["2026-11-20", new Date(2026, 10, 20, 23, 59, 59, 999).getTime()],
  ["2026-02-30", undefined],
  ["2026-13-01", undefined],
  ["2026-11-20 25:00", undefined],
  ["2026-11-20 02:60", undefined],
  ["yesterday", undefined],
  ["20.11.2026", undefined],
])("the time %j is %j", (text, expected) => {
  expect(parseInstant(text)).toBe(expected);
});

test("a name can be part of a path everywhere", () => {
  for (const name of ["memory", "a.b-c_d", "7"]) expect(name).toMatch(namePattern);
  for (const name of ["", "__proto__", ".hidden", "-x", "a/b", "a b", "ü", "a\n", "x".repeat(65)]) {
    expect(name).not.toMatch(namePattern);
  }
});

test("a name is made of any text", () => {
  expect(nameFrom("my memory (1)")).toBe("my-memory-1");
  expect(nameFrom("..")).toBeUndefined();
  expect(nameFrom("日本")).toBeUndefined();
  expect(nameFrom("x".repeat(300))).toHaveLength(64);
});

test("the nearest name is one that somebody may have meant", () => {
  const known = ["backup", "snapshots", "restore", "verify"];
  expect(nearestName("bakcup", known)).toBe("backup");
  expect(nearestName("snapshot", known)).toBe("snapshots");
  expect(nearestName("BACKUP", known)).toBe("backup");
  expect(nearestName("frobnicate", known)).toBeUndefined();
  expect(nearestName("x".repeat(1_000_000), known)).toBeUndefined();
});
