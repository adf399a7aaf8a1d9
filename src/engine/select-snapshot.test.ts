import { expect, test } from "vitest";
import { MemkeepError } from "../domain/errors.ts";
import type { SnapshotInfo } from "../repository/repository.ts";
import { selectSnapshot } from "./select-snapshot.ts";

function snapshot(id: string, time: string, more: Partial<SnapshotInfo> = {}): SnapshotInfo {
  return {
    id: id.padEnd(64, "0"),
    time,
    timeMs: Date.parse(time),
    stack: "rose",
    stores: ["memory"],
    paths: ["/rose"],
    hostname: "memkeep",
    username: "memkeep",
    tags: [],
    program: "memkeep",
    safety: false,
    readBytes: 1,
    addedBytes: 1,
    run: undefined,
    original: id,
    likeness: id,
    ...more,
  };
}

const snapshots = [
  snapshot("ff01", "2026-11-21T03:00:00Z", { safety: true }),
  snapshot("ab12", "2026-11-21T02:00:00Z"),
  snapshot("ab34", "2026-11-20T02:00:00Z"),
  snapshot("cd56", "2026-11-19T02:00:00Z"),
];

function pick(text: string, stack?: string, at?: string): string {
  const atMs = at === undefined ? undefined : Date.parse(at);
  return selectSnapshot(snapshots, { text, stack, atMs }).id.slice(0, 4);
}

function refusal(text: string, stack?: string, at?: string): MemkeepError {
  try {
    pick(text, stack, at);
  } catch (error) {
    if (error instanceof MemkeepError) return error;
  }
  throw new Error("it was not refused");
}

test("latest is the newest that is no safety snapshot", () => {
  expect(pick("latest")).toBe("ab12");
  expect(pick("latest", "rose")).toBe("ab12");
  expect(pick("latest:rose", "other")).toBe("ab12");
});

test("a time finds the newest at or before it", () => {
  expect(pick("latest", "rose", "2026-11-20T02:00:00Z")).toBe("ab34");
  expect(pick("latest", "rose", "2026-11-20T01:59:59Z")).toBe("cd56");
});

test("before the first snapshot, the first is named", () => {
  const error = refusal("latest", "rose", "2026-11-01T00:00:00Z");
  expect(error.code).toBe("SNAPSHOT_NOT_FOUND");
  expect(error.message).toContain("cd560000");
  expect(error.message).toContain("2026-11-19T02:00:00Z");
});

test("an id is found by its beginning, safety snapshots too", () => {
  expect(pick("cd")).toBe("cd56");
  expect(pick("AB3")).toBe("ab34");
  expect(pick("ff01")).toBe("ff01");
});

test("a beginning that fits two lists both", () => {
  const error = refusal("ab");
  expect(error.code).toBe("SNAPSHOT_AMBIGUOUS");
  expect(JSON.stringify(error.details)).toMatch(/ab12.*ab34/);
});

test("what is not there is told with what is", () => {
  expect(refusal("99").code).toBe("SNAPSHOT_NOT_FOUND");
  expect(refusal("latest", "clara").message).toContain("rose");
  expect(refusal("newest").code).toBe("USAGE");
  expect(refusal("ab12", "rose", "2026-11-20T02:00:00Z").code).toBe("USAGE");
});

test("several stacks and none named: which one is asked for", () => {
  const two = [...snapshots, snapshot("ee", "2026-11-18T00:00:00Z", { stack: "clara" })];
  expect(() => selectSnapshot(two, { text: "latest", stack: undefined, atMs: undefined })).toThrow(
    /2 stacks/,
  );
});

test.each(["../ab12", "/etc/passwd", "ab12/../cd56", "ab12\0", ""])("W-R5: %j is no snapshot", (text) => {
  expect(refusal(text).code).toMatch(/^(SNAPSHOT_|USAGE)/);
});
