import { execFile } from "node:child_process";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { MemkeepError } from "../../src/domain/errors.ts";
import { formatManifest } from "../../src/domain/manifest.ts";
import { backup } from "../../src/engine/backup/run.ts";
import { readManifest } from "../../src/engine/manifest.ts";
import type { Stack, StackStore } from "../../src/engine/stack.ts";
import { change, makeWorld, type World } from "./stack.ts";

async function snapshotCount(world: World): Promise<number> {
  return (await (await world.repository()).snapshots()).length;
}

/** A store whose dump fails after its first file was stored. */
function failing(store: StackStore): StackStore {
  return {
    ...store,
    connect: (context) => {
      const real = store.connect(context);
      return {
        kind: real.kind,
        name: real.name,
        describe: () => real.describe(),
        async open() {
          const view = await real.open();
          return {
            instant: view.instant,
            consistency: view.consistency,
            collections: () => view.collections(),
            keys: (collection) => view.keys(collection),
            records: (collection, keys) => view.records(collection, keys),
            async dump(sink) {
              await view.dump(sink);
              throw new MemkeepError("DUMP_INCOMPLETE", {
                tried: "dump",
                happened: "the connection was cut",
              });
            },
            [Symbol.asyncDispose]: () => view[Symbol.asyncDispose](),
          };
        },
        write: (collection, records) => real.write(collection, records),
        planRestore: (source, options) => real.planRestore(source, options),
        stage: (plan, source, options) => real.stage(plan, source, options),
        probe: () => real.probe(),
        maintenance: () => real.maintenance(),
        [Symbol.asyncDispose]: () => real[Symbol.asyncDispose](),
      };
    },
  };
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

async function run(world: World, stack: Stack): Promise<unknown> {
  return backup(
    stack,
    { minIntervalMs: 0, force: false, tags: [], allowEmpty: false, dryRun: false, stallLimitMs: 60_000 },
    world.surroundings,
  );
}

describe("backup of a stack", () => {
  it("W-C12: takes all stores as one snapshot, with the instants and the distance between them", async () => {
    await using world = await makeWorld(["a", "b", "c"]);

    const report = await world.backup();

    const repository = await world.repository();
    const [snapshot] = await repository.snapshots();
    const manifest = await readManifest(await repository.open(snapshot!.id));
    const instants = Object.values(manifest.stores).map(({ view }) => Date.parse(view.instant));
    expect(report).toMatchObject({
      outcome: "done",
      stores: [{ records: 10 }, { records: 10 }, { records: 10 }],
    });
    expect(Object.keys(manifest.stores)).toEqual(["a", "b", "c"]);
    expect(manifest.skewMs).toBe(Math.max(...instants) - Math.min(...instants));
    expect(snapshot!.timeMs).toBe(Math.min(...instants));
  });

  it.each([false, true])("cuts a file as the snapshot before did (allowEmpty: %s)", async (allowEmpty) => {
    await using world = await makeWorld();
    await world.backup();
    const repository = await world.repository();
    const first = (await repository.snapshots())[0]!;
    const manifest = await readManifest(await repository.open(first.id));
    // As a version that cuts such files otherwise would have left it.
    const [file] = manifest.stores["a"]!.files;
    expect(file!.cut).toBe("blocks-16k");
    file!.cut = "gear-8k";
    const writer = await world.stack.beginSnapshot([repository], {
      stack: "memories",
      run: "other",
      tags: [],
    });
    await writer.save("manifest.json", "document", once(formatManifest(manifest)));
    await writer.commit(first.timeMs + 1, ["a"]);

    await world.backup({ allowEmpty });

    const newest = (await repository.snapshots())[0]!;
    expect(newest.timeMs).toBeGreaterThan(first.timeMs + 1);
    const after = await readManifest(await repository.open(newest.id));
    expect(after.stores["a"]!.files[0]!.cut).toBe("gear-8k");
  });

  it("law 4, W-M6: when one of several stores fails, there is no snapshot, and nothing is left in the spool", async () => {
    await using world = await makeWorld(["a", "b"]);
    const [a, b] = world.stack.stores;

    const attempt = run(world, { ...world.stack, stores: [a!, failing(b!)] });

    await expect(attempt).rejects.toMatchObject({ code: "DUMP_INCOMPLETE" });
    expect(await snapshotCount(world)).toBe(0);
    expect(await readdir(world.path("spool"))).toEqual([]);
    await expect(world.backup()).resolves.toMatchObject({ outcome: "done" });
  });

  it("law 8: a store marked optional that fails makes the run partial, and is named", async () => {
    await using world = await makeWorld(["a", "b"]);
    const [a, b] = world.stack.stores;
    await rm(world.path("b.db"));

    const result = await run(world, { ...world.stack, stores: [a!, { ...b!, optional: true }] });

    expect(result).toMatchObject({
      report: {
        outcome: "partial",
        stores: [
          { name: "a", ok: true },
          { name: "b", ok: false },
        ],
      },
    });
    expect(world.warnings.join()).toMatch(/left out, as it is optional/);
  });

  it("law 3: a store that had records and is empty now is an error, unless it is meant", async () => {
    await using world = await makeWorld();
    await world.backup();
    change(world.path("a.db"), "DELETE FROM memories");

    const attempt = world.backup();

    await expect(attempt).rejects.toMatchObject({ code: "STORE_EMPTY" });
    expect(await snapshotCount(world)).toBe(1);
    await expect(world.backup({ allowEmpty: true })).resolves.toMatchObject({ outcome: "done" });
  });

  it("refuses two names for one database", async () => {
    await using world = await makeWorld(["a"]);
    const [a] = world.stack.stores;

    const attempt = run(world, { ...world.stack, stores: [a!, { ...a!, name: "again" }] });

    await expect(attempt).rejects.toThrow(/a and again are the same database/);
  });

  it("refuses a repository that is the store's own file", async () => {
    await using world = await makeWorld();
    const [repository] = world.stack.repositories;
    const inside = { ...repository!, localPath: world.path("a.db") };

    const attempt = run(world, { ...world.stack, repositories: [inside] });

    await expect(attempt).rejects.toThrow(/lies inside the store/);
  });

  it("skips a fresh repository, is not held back by a snapshot from the future, and says so", async () => {
    await using world = await makeWorld();
    const { clock } = world.surroundings;
    const tomorrow = { ...clock, now: () => clock.now() + 86_400_000 };
    await world.backup();

    const early = await world.backup({ minIntervalMs: 3_600_000 });
    const forced = await world.backup({ minIntervalMs: 3_600_000, force: true });
    const later = await backup(
      world.stack,
      {
        minIntervalMs: 3_600_000,
        force: false,
        tags: [],
        allowEmpty: false,
        dryRun: false,
        stallLimitMs: 60_000,
      },
      { ...world.surroundings, clock: tomorrow },
    );

    expect([early.outcome, forced.outcome]).toEqual(["skipped", "done"]);
    expect(later).toMatchObject({ kind: "ran", report: { outcome: "done" } });
    const back = await world.backup({ minIntervalMs: 3_600_000 });
    expect(back.warnings.join()).toMatch(/dated in the future/);
  });

  it("law 10: what the manifest tells of the configuration has no secret", async () => {
    await using world = await makeWorld();
    await world.backup();
    const repository = await world.repository();
    const [snapshot] = await repository.snapshots();

    const manifest = await readManifest(await repository.open(snapshot!.id));

    expect(JSON.stringify(manifest)).not.toContain("of the tests");
    expect(manifest.configuration).toBeDefined();
  });

  it("law 8: a dump that cannot be written to its only repository rejects", async () => {
    await using world = await makeWorld();
    await rm(world.path("backups/data"), { recursive: true, force: true });
    await writeFile(world.path("backups/data"), "in the way");

    await expect(world.backup()).rejects.toMatchObject({ code: expect.stringMatching(/^STORAGE_/) });
  });

  it("law 8: when the newest manifest is lost for good, it says how the next backup can be made", async () => {
    await using world = await makeWorld();
    await world.backup();
    const repository = await world.repository();
    const [snapshot] = await repository.snapshots();
    await rm(world.path("backups/data"), { recursive: true });
    await repository.repair();

    await expect(world.backup()).rejects.toMatchObject({
      code: "REPOSITORY_DAMAGED",
      next: expect.stringContaining(`memkeep forget ${snapshot!.id.slice(0, 8)}`) as string,
    });
    await repository.forget([snapshot!.id]);
    expect(await world.backup()).toMatchObject({ outcome: "done" });
  });

  it("W-R7: to import it makes no file and no folder", async () => {
    await using world = await makeWorld();
    const home = world.path("home");
    await mkdir(home);
    const script = `await import(${JSON.stringify(new URL("../../src/index.ts", import.meta.url).href)})`;
    await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script], {
      cwd: home,
      env: { HOME: home },
    });
    expect(await readdir(home)).toEqual([]);
  });
});
