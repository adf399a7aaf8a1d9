import { open, readFile, rm, stat } from "node:fs/promises";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { startScript } from "../sqlite/processes.ts";
import { exportSnapshot } from "../../src/engine/export/run.ts";
import { applyRestore, planRestore } from "../../src/engine/restore/run.ts";
import type { RestoreChoice } from "../../src/engine/restore/plan.ts";
import type { Stack, StackStore } from "../../src/engine/stack.ts";
import { verify } from "../../src/engine/verify/run.ts";
import type { Restoration } from "../../src/stores/store.ts";
import { change, contents, makeWorld, type World } from "./stack.ts";

async function choiceOf(world: World, stores?: readonly string[]): Promise<RestoreChoice> {
  const repository = await world.repository();
  const newest = (await repository.snapshots()).find(({ safety }) => !safety);
  const snapshot = await repository.open(newest!.id);
  return { snapshot, stores, options: { target: { kind: "in-place" }, force: false } };
}

async function restore(world: World, stack: Stack = world.stack, stores?: readonly string[]) {
  return applyRestore(stack, await world.repository(), await choiceOf(world, stores), world.surroundings);
}

/** The same store, with a restoration that is changed by `wrap`. */
function restoring(store: StackStore, wrap: (real: Restoration) => Partial<Restoration>): StackStore {
  return {
    ...store,
    connect: (context) => {
      const real = store.connect(context);
      return {
        kind: real.kind,
        name: real.name,
        describe: () => real.describe(),
        open: () => real.open(),
        write: (collection, records) => real.write(collection, records),
        planRestore: (source, options) => real.planRestore(source, options),
        async stage(plan, source, options) {
          const inner = await real.stage(plan, source, options);
          return {
            comparable: inner.comparable,
            facts: () => inner.facts(),
            switch: () => inner.switch(),
            rollBack: () => inner.rollBack(),
            keep: () => inner.keep(),
            [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
            ...wrap(inner),
          };
        },
        probe: () => real.probe(),
        maintenance: () => real.maintenance(),
        [Symbol.asyncDispose]: () => real[Symbol.asyncDispose](),
      };
    },
  };
}

describe("restore of a stack", () => {
  it("changes nothing when it plans", async () => {
    await using world = await makeWorld(["a", "b"]);
    await world.backup();
    change(world.path("a.db"), "DELETE FROM memories");
    const before = await readFile(world.path("a.db"));

    const plan = await planRestore(
      world.stack,
      await world.repository(),
      await choiceOf(world),
      world.surroundings,
    );

    expect(plan).toMatchObject({ applicable: true, stores: [{ name: "a", records: 10 }, { name: "b" }] });
    expect(plan.stores[0]!.plan.changes).toEqual([
      { collection: "memories", recordsNow: 0, recordsThen: 10 },
    ]);
    expect(await readFile(world.path("a.db"))).toEqual(before);
  });

  it("law 5, W-M3: takes a safety snapshot first, and it brings back what was replaced", async () => {
    await using world = await makeWorld();
    await world.backup();
    change(world.path("a.db"), "UPDATE memories SET content = 'written after the backup' WHERE id = 1");

    const report = await restore(world);

    const repository = await world.repository();
    const safety = await repository.open(report.safetySnapshot!);
    expect(contents(world.path("a.db"))[0]).toMatch(/^memory 0/);
    expect(safety.info.safety).toBe(true);
    await exportSnapshot(safety, world.path("safety"), undefined, world.surroundings);
    expect(contents(world.path("safety/a/a.db"))[0]).toBe("written after the backup");
  });

  it("law 5: over a damaged file its raw bytes become the safety copy", async () => {
    await using world = await makeWorld();
    await world.backup();
    {
      await using file = await open(world.path("a.db"), "r+");
      await file.write(Buffer.alloc(4096, 0x5a), 0, 4096, 4096);
    }
    const damaged = await readFile(world.path("a.db"));

    const report = await restore(world);

    const safety = await (await world.repository()).open(report.safetySnapshot!);
    await exportSnapshot(safety, world.path("safety"), undefined, world.surroundings);
    expect(contents(world.path("a.db"))).toHaveLength(10);
    expect(await readFile(world.path("safety/a/a.db"))).toEqual(damaged);
  });

  it("law 5: over a database whose program was killed in a transaction, journal and all are the safety copy", async () => {
    await using world = await makeWorld();
    await world.backup();
    const killed = startScript(
      `import { DatabaseSync } from "node:sqlite";
       const db = new DatabaseSync(process.argv[2]);
       db.exec("PRAGMA cache_size = 5; BEGIN; UPDATE memories SET content = 'half done';"
         + "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO memories(content) SELECT hex(randomblob(250)) FROM n");
       process.kill(process.pid, "SIGKILL");`,
      world.path("a.db"),
    );
    await once(killed, "exit");
    const journal = await readFile(world.path("a.db-journal"));

    const report = await restore(world);

    const safety = await (await world.repository()).open(report.safetySnapshot!);
    await exportSnapshot(safety, world.path("safety"), undefined, world.surroundings);
    expect(await readFile(world.path("safety/a/a.db-journal"))).toEqual(journal);
    expect(contents(world.path("a.db"))).toHaveLength(10);
  });

  it("brings back a file that is gone", async () => {
    await using world = await makeWorld();
    await world.backup();
    await rm(world.path("a.db"));

    const report = await restore(world);

    expect(report.safetySnapshot).toBeUndefined();
    expect(contents(world.path("a.db"))).toHaveLength(10);
  });

  it("law 5: when what came back is not what the manifest says, nothing was switched", async () => {
    await using world = await makeWorld(["a", "b"]);
    await world.backup();
    change(world.path("a.db"), "DELETE FROM memories WHERE id > 3");
    const [a, b] = world.stack.stores;
    const wrong = restoring(b!, (real) => ({
      facts: async () => (await real.facts()).map((facts) => ({ ...facts, contentDigest: "0".repeat(64) })),
    }));

    const attempt = restore(world, { ...world.stack, stores: [a!, wrong] });

    await expect(attempt).rejects.toMatchObject({ code: "COMPARE_FAILED" });
    expect(contents(world.path("a.db"))).toHaveLength(3);
  });

  it("law 5, W-M4: when the second store cannot be switched, the first is rolled back", async () => {
    await using world = await makeWorld(["a", "b"]);
    await world.backup();
    change(world.path("a.db"), "DELETE FROM memories WHERE id > 3");
    const [a, b] = world.stack.stores;
    const stuck = restoring(b!, () => ({ switch: () => Promise.reject(new Error("the disk is gone")) }));

    const attempt = restore(world, { ...world.stack, stores: [a!, stuck] });

    await expect(attempt).rejects.toThrow("the disk is gone");
    expect(contents(world.path("a.db"))).toHaveLength(3);
    expect(contents(world.path("b.db"))).toHaveLength(10);
  });

  it("restores one store of several", async () => {
    await using world = await makeWorld(["a", "b"]);
    await world.backup();
    for (const name of ["a", "b"]) change(world.path(`${name}.db`), "DELETE FROM memories");

    await restore(world, world.stack, ["b"]);

    expect([contents(world.path("a.db")).length, contents(world.path("b.db")).length]).toEqual([0, 10]);
  });
});

describe("verify of a stack", () => {
  it.each(["stored", "decoded", "restored"] as const)("%s: proves it and keeps the proof", async (level) => {
    await using world = await makeWorld(["a", "b"]);
    await world.backup();
    const repository = await world.repository();
    const [snapshot] = await repository.snapshots();

    const report = await verify(world.stack, repository, { level, snapshot }, world.surroundings);

    expect(report).toMatchObject({ ok: true, snapshots: [{ stores: [{ level }, { level }] }] });
    expect(await repository.proofs()).toMatchObject([{ snapshot: snapshot!.id, level, ok: true }]);
    expect(contents(world.path("a.db"))).toHaveLength(10);
  });

  it("a drill never touches the live file", async () => {
    await using world = await makeWorld();
    await world.backup();
    change(world.path("a.db"), "DELETE FROM memories WHERE id > 3");
    const before = await stat(world.path("a.db"));
    const repository = await world.repository();
    const [snapshot] = await repository.snapshots();

    const report = await verify(world.stack, repository, { level: "restored", snapshot }, world.surroundings);

    expect(report.ok).toBe(true);
    expect(contents(world.path("a.db"))).toHaveLength(3);
    expect((await stat(world.path("a.db"))).mtimeMs).toBe(before.mtimeMs);
  });
});
