import { describe, expect, test } from "vitest";
import type { Proof, SnapshotInfo } from "../../repository/repository.ts";
import { defaultSafetyRule, planRetain, type RetainChoice, type RetainPlan } from "./plan.ts";

const nowMs = Date.UTC(2026, 10, 20);
const dayMs = 24 * 3_600_000;

function snapshot(id: string, ageDays: number, more: Partial<SnapshotInfo> = {}): SnapshotInfo {
  const timeMs = nowMs - ageDays * dayMs;
  return {
    id,
    time: new Date(timeMs).toISOString(),
    timeMs,
    stack: "mine",
    stores: [],
    paths: ["/mine"],
    hostname: "memkeep",
    username: "memkeep",
    tags: ["memkeep", "stack:mine"],
    program: "memkeep 0.1.0",
    safety: false,
    readBytes: undefined,
    addedBytes: undefined,
    run: undefined,
    original: id,
    likeness: id,
    ...more,
  };
}

function proof(id: string, ok: boolean, ageDays = 0): Proof {
  const at = new Date(nowMs - ageDays * dayMs).toISOString();
  return { snapshot: id, level: "stored", ok, at, program: "memkeep 0.1.0", durationMs: 1, stores: [] };
}

const choice: RetainChoice = {
  rules: { last: 1 },
  stacks: ["mine"],
  foreign: false,
  safety: defaultSafetyRule,
  backupWell: true,
};

function plan(
  snapshots: readonly SnapshotInfo[],
  proofs: readonly Proof[] = [],
  more: Partial<RetainChoice> = {},
): RetainPlan {
  return planRetain({ nowMs, snapshots, proofs }, { ...choice, ...more });
}

describe("retention", () => {
  test("law 6: the newest snapshot that was verified stays, with the reason", () => {
    const made = plan(
      [snapshot("new", 0), snapshot("good", 1), snapshot("old", 2)],
      [proof("good", true), proof("old", true)],
    );
    expect(made.remove).toEqual(["old"]);
    expect(made.guarded).toEqual(["good"]);
    expect(made.groups[0]!.keep.map(({ snapshot, reasons }) => [snapshot.id, reasons])).toEqual([
      ["new", ["last snapshot"]],
      ["good", ["newest that was verified"]],
    ]);
  });

  test("law 6: a snapshot that failed its latest proof is not the last good one", () => {
    const proofs = [proof("bad", true, 5), proof("bad", false, 1), proof("good", true, 9)];
    const made = plan([snapshot("new", 0), snapshot("bad", 1), snapshot("good", 2)], proofs);
    expect(made.remove).toEqual(["bad"]);
    expect(made.guarded).toEqual(["good"]);
  });

  test("law 6: the only one stays although no rule wants it", () => {
    const rules = { tags: [["never"]] };
    expect(plan([snapshot("a", 0)], [], { rules }).remove).toEqual([]);
    expect(plan([snapshot("a", 0), snapshot("b", 1)], [], { rules }).remove).toEqual(["b"]);
  });

  test("law 6: nothing goes after a failed backup", () => {
    const made = plan([snapshot("a", 0), snapshot("b", 1)], [], { backupWell: false });
    expect(made.remove).toEqual([]);
    expect(made.refused).toMatch(/failed/);
  });

  test("without rules everything stays", () => {
    expect(plan([snapshot("a", 0), snapshot("b", 900)], [], { rules: {} }).remove).toEqual([]);
  });

  test("other stacks and other programs' snapshots are not touched unless asked for", () => {
    const other = { stack: "other", paths: ["/other"] };
    const foreign = { stack: undefined, paths: ["/home"], hostname: "laptop", tags: [] };
    const all = [
      snapshot("m1", 0),
      snapshot("m2", 1),
      snapshot("o1", 0, other),
      snapshot("o2", 1, other),
      snapshot("f1", 0, foreign),
      snapshot("f2", 1, foreign),
    ];
    expect(plan(all).remove).toEqual(["m2"]);
    expect(plan(all, [], { stacks: ["mine", "other"] }).remove).toEqual(["m2", "o2"]);
    expect(plan(all, [], { foreign: true }).remove).toEqual(["m2", "f2"]);
  });

  test("safety snapshots count for no rule and expire by their own", () => {
    const safety = { safety: true, paths: ["/memkeep-safety/mine"] };
    const young = Array.from({ length: 5 }, (_, n) => snapshot(`young${n}`, n + 1, safety));
    const old = Array.from({ length: 5 }, (_, n) => snapshot(`old${n}`, n + 20, safety));
    expect(plan([snapshot("m1", 30), ...young, ...old]).remove).toEqual(old.map(({ id }) => id));
    expect(plan([snapshot("m1", 30), ...old]).remove).toEqual(["old3", "old4"]);
    expect(plan([...old], [proof("old4", true)], { rules: {} }).remove).toEqual(["old3", "old4"]);
  });

  test("W-C8, W-R3: a snapshot is as old as its own time says, whenever its file came to be there", () => {
    // As after a copy: the file of the oldest is the newest object, and is listed first.
    const listed = [snapshot("copied", 30), snapshot("new", 0), snapshot("week", 6)];
    expect(
      plan(listed, [], { rules: { within: { years: 0, months: 0, days: 7, hours: 0 } } }).remove,
    ).toEqual(["copied"]);
  });

  test("W-R4: backups by hand, however many, push no other day out", () => {
    const days = Array.from({ length: 7 }, (_, n) => snapshot(`day${n}`, n));
    const byHand = Array.from({ length: 50 }, (_, n) => snapshot(`hand${n}`, 0.01 + n / 1000));
    const { groups } = plan([...days, ...byHand], [], { rules: { daily: 7 } });
    const kept = groups[0]!.keep.map(({ snapshot: { time } }) => time.slice(0, 10));
    expect(kept).toEqual(days.map(({ time }) => time.slice(0, 10)));
  });

  test("W-M9: when backups stopped, age alone takes nothing away", () => {
    const rules = { within: { years: 0, months: 0, days: 7, hours: 0 } };
    expect(plan([snapshot("last", 400), snapshot("before", 401)], [], { rules }).remove).toEqual([]);
  });

  test("a snapshot from the future does not take the others with it", () => {
    const rules = { within: { years: 0, months: 0, days: 7, hours: 0 } };
    expect(
      plan([snapshot("ahead", -900), snapshot("new", 1), snapshot("old", 9)], [], { rules }).remove,
    ).toEqual(["old"]);
  });
});
