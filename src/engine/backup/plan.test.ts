import { describe, expect, it } from "vitest";
import type { SnapshotInfo } from "../../repository/repository.ts";
import { type BackupPlan, planBackup } from "./plan.ts";

const nowMs = Date.UTC(2026, 10, 20, 12);
const hourMs = 3_600_000;

function snapshot(ageHours: number, more: Partial<SnapshotInfo> = {}): SnapshotInfo {
  const timeMs = nowMs - ageHours * hourMs;
  return {
    id: `${ageHours}`.padEnd(64, "0"),
    time: new Date(timeMs).toISOString(),
    timeMs,
    stack: "clara",
    stores: [],
    paths: ["/clara"],
    hostname: "memkeep",
    username: "memkeep",
    tags: [],
    program: "memkeep 0.1.0",
    safety: false,
    readBytes: undefined,
    addedBytes: undefined,
    run: undefined,
    original: `${ageHours}`,
    likeness: `${ageHours}`,
    ...more,
  };
}

/** Newest first, as repositories give them. */
function plan(repositories: Readonly<Record<string, readonly SnapshotInfo[]>>, force = false): BackupPlan {
  const facts = Object.entries(repositories).map(([name, snapshots]) => ({
    name,
    location: name,
    snapshots,
  }));
  return planBackup(
    { nowMs, stack: "clara", stores: [], repositories: facts },
    { minIntervalMs: 23 * hourMs, force },
  );
}

describe("minInterval", () => {
  it("a repository with a young snapshot is skipped, and says how young; --force passes it", () => {
    expect(plan({ bucket: [snapshot(3)] }).repositories).toMatchObject([
      { action: "skip", reason: "newest is 3 h old, one is due every 23 h 0 min" },
    ]);
    expect(plan({ bucket: [snapshot(3)] }, true).repositories).toMatchObject([{ action: "write" }]);
    expect(plan({ bucket: [snapshot(23)] }).repositories).toMatchObject([{ action: "write" }]);
  });

  it("W-C1: one that is fresh does not hide another that is behind", () => {
    const { repositories } = plan({ near: [snapshot(3)], far: [snapshot(30)], empty: [] });

    expect(repositories.map(({ action }) => action)).toEqual(["skip", "write", "write"]);
  });

  it("other stacks' snapshots and safety snapshots do not count", () => {
    const own = plan({ near: [snapshot(1, { stack: "rose" }), snapshot(2, { safety: true }), snapshot(40)] });

    expect(own.repositories).toMatchObject([{ action: "write" }]);
  });

  it("one dated in the future is reported and holds nothing back; what is behind it counts", () => {
    const ahead = snapshot(-500);

    expect(plan({ near: [ahead] })).toMatchObject({
      repositories: [{ action: "write" }],
      warnings: [expect.stringMatching(/dated in the future/)],
    });
    expect(plan({ near: [ahead, snapshot(3)] }).repositories).toMatchObject([{ action: "skip" }]);
  });
});

it("a repository that lags behind is told by how much, and what brings it up to date", () => {
  const local = [snapshot(1), snapshot(2), snapshot(30), snapshot(50)];
  const facts = {
    nowMs,
    stack: "clara",
    stores: [],
    repositories: [
      { name: "local", location: "a", snapshots: local },
      { name: "offsite", location: "b", snapshots: [snapshot(30)] },
    ],
  };
  expect(planBackup(facts, { minIntervalMs: 0, force: false }).warnings).toEqual([
    "offsite lacks 2 snapshots that local has: memkeep copy --from local --to offsite",
  ]);
});
