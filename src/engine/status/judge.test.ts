import { expect, test } from "vitest";
import { MemkeepError } from "../../domain/errors.ts";
import type { Proof, SnapshotInfo } from "../../repository/repository.ts";
import type { RepositoryFacts, StatusFacts } from "./facts.ts";
import { judgeStatus } from "./judge.ts";

const hour = 3_600_000;
const nowMs = Date.UTC(2026, 10, 20, 12);

function snapshot(id: string, ageHours: number, more: Partial<SnapshotInfo> = {}): SnapshotInfo {
  const timeMs = nowMs - ageHours * hour;
  return {
    id,
    time: new Date(timeMs).toISOString(),
    timeMs,
    stack: "rose",
    stores: ["memory"],
    paths: ["/rose"],
    hostname: "memkeep",
    username: "rose",
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

function proof(id: string, ok = true, more: Partial<Proof> = {}): Proof {
  return {
    snapshot: id,
    level: "decoded",
    ok,
    at: new Date(nowMs).toISOString(),
    program: "memkeep",
    durationMs: 1,
    stores: [{ name: "memory", level: "decoded", records: 1 }],
    ...more,
  };
}

function reached(
  name: string,
  snapshots: readonly SnapshotInfo[],
  proofs: readonly Proof[] = [],
): RepositoryFacts {
  return { name, reached: true, location: `/${name}`, snapshots, proofs, locks: [], unreadable: [] };
}

const gone: RepositoryFacts = {
  name: "offsite",
  reached: false,
  error: new MemkeepError("STORAGE_FAILED", { tried: "reach it", happened: "no route to host" }),
};

function judge(repositories: readonly RepositoryFacts[], more: Partial<StatusFacts> = {}) {
  const stores = [{ name: "memory", kind: "sqlite", optional: false }];
  return judgeStatus({ nowMs, stack: "rose", stores, repositories, maxAgeMs: 26 * hour, ...more });
}

test.each([
  ["a proven, young one", [reached("a", [snapshot("s1", 3)], [proof("s1")])], "ok"],
  ["an unproven one", [reached("a", [snapshot("s1", 3)])], "unproven"],
  [
    "a young one after a proven one",
    [reached("a", [snapshot("s2", 3), snapshot("s1", 27)], [proof("s1")])],
    "ok",
  ],
  [
    "a proven one that is nine days old",
    [reached("a", [snapshot("s2", 3), snapshot("s1", 9 * 24)], [proof("s1")])],
    "unproven",
  ],
  ["law 7: one that is too old", [reached("a", [snapshot("s1", 27)], [proof("s1")])], "late"],
  ["law 7: nothing at all", [reached("a", [])], "empty"],
  ["law 7: no answer", [gone], "unknown"],
  ["one that failed its proof", [reached("a", [snapshot("s1", 3)], [proof("s1", false)])], "failing"],
  [
    "one that failed and was proven later",
    [
      reached(
        "a",
        [snapshot("s1", 3)],
        [proof("s1", false, { at: "2026-11-20T09:00:00Z" }), proof("s1", true)],
      ),
    ],
    "ok",
  ],
  ["a safety snapshot alone", [reached("a", [snapshot("s1", 3, { safety: true })])], "empty"],
  ["one of another stack", [reached("a", [snapshot("s1", 3, { stack: "clara" })])], "empty"],
  [
    "one without a store",
    [reached("a", [snapshot("s1", 3, { stores: ["other"] })], [proof("s1")])],
    "failing",
  ],
] as const)("%s", (_name, repositories, state) => {
  expect(judge(repositories).state).toBe(state);
});

test("a repository that does not answer is told, and the other one decides", () => {
  const report = judge([gone, reached("a", [snapshot("s1", 3)], [proof("s1")])]);
  expect(report).toMatchObject({
    state: "ok",
    newest: { repository: "a" },
    problems: [{ severity: "warning", text: expect.stringContaining("no route to host") }],
    next: [{ command: "doctor" }],
  });
});

test("of two copies of one instant, the proven one is told; one that lags behind is told", () => {
  const fresh = snapshot("s2", 1);
  const old = snapshot("s1", 50);
  const report = judge([
    reached("a", [fresh, old]),
    reached("b", [{ ...fresh, id: "s3" }, old], [proof("s3")]),
    reached("c", [old]),
    reached("d", []),
  ]);
  expect(report).toMatchObject({ state: "ok", newest: { repository: "b", snapshot: "s3" } });
  expect(report.problems.map(({ text }) => text)).toEqual([
    "c lacks 1 snapshot that a has",
    "d lacks 2 snapshots that a has",
  ]);
  expect(report.repositories.map(({ behind }) => behind)).toEqual([
    null,
    null,
    { snapshots: 1, from: "a" },
    { snapshots: 2, from: "a" },
  ]);
  expect(report.next.map(({ command }) => command)).toEqual(["copy --from a --to c", "copy --from a --to d"]);
});

test("W-R6: a store that was never backed up is critical, an optional one is not", () => {
  const stores = [
    { name: "memory", kind: "sqlite", optional: false },
    { name: "notes", kind: "sqlite", optional: true },
  ];
  const repositories = [reached("a", [snapshot("s1", 3)], [proof("s1")])];
  expect(judge(repositories, { stores })).toMatchObject({ state: "ok", problems: [{ severity: "warning" }] });
  const required = stores.map((store) => ({ ...store, optional: false }));
  expect(judge(repositories, { stores: required })).toMatchObject({
    state: "failing",
    stores: [{ proven: { level: "decoded" } }, { newest: null, proven: null }],
    problems: [{ severity: "critical", text: "the store notes was never backed up" }],
  });
});

test("a snapshot of the future says that a clock is wrong", () => {
  const report = judge([reached("a", [snapshot("s1", -24)], [proof("s1")])]);
  expect(report.problems).toMatchObject([{ text: expect.stringMatching(/clock/) }]);
});

test("without a stack the only one is meant; of several one must be named", () => {
  const one = reached("a", [snapshot("s1", 3)]);
  expect(judge([one], { stack: undefined }).stack).toBe("rose");
  const two = reached("a", [snapshot("s1", 3), snapshot("s2", 4, { stack: "clara" })]);
  expect(() => judge([two], { stack: undefined })).toThrow(/holds 2 stacks/);
});
