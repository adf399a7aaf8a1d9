/** The view: one instant, beside writers that never rest. */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";
import { DumpFolder, takeDump } from "../contract/dump-folder.ts";
import type { RestoreOptions } from "../store.ts";
import { ManualClock } from "../../util/clock/manual-clock.ts";
import { schema } from "./config.ts";
import { scalar } from "./sql.ts";
import {
  constantWriter,
  contextFor,
  listen,
  startScript,
  storeAt,
  temporaryFolder,
  untilReady,
} from "../../../test/sqlite/processes.ts";

/** Backups and restores under constant writing: 500 of them with `MEMKEEP_NIGHTLY=1`, which takes minutes. */
const rounds = Number(process.env["MEMKEEP_TEST_ROUNDS"] ?? (process.env["MEMKEEP_NIGHTLY"] ? 500 : 40));

function expectUntorn(path: string): bigint {
  using db = new DatabaseSync(path, { readOnly: true });
  expect(scalar(db, "PRAGMA integrity_check")).toBe("ok");
  expect(scalar(db, "SELECT sum(amount) FROM account")).toBe(0n);
  expect(scalar(db, "SELECT max(n) - min(n) + 1 - count(*) FROM line")).toBe(0n);
  return scalar(db, "SELECT amount FROM account WHERE id = 2") as bigint;
}

describe("a view beside a constant writer", () => {
  it(
    `law 4: ${rounds} backups and restores of a WAL database, none torn`,
    { timeout: 3_600_000 },
    async () => {
      const folder = temporaryFolder();
      const path = join(folder, "memory.db");
      await untilReady(startScript(constantWriter, path, "WAL"));
      await using store = storeAt(path);
      let last = 0n;
      for (let round = 0; round < rounds; round++) {
        const { dump, manifest } = await takeDump(store, join(folder, `dump-${round}`));
        const target = join(folder, "restored", `${round}.db`);
        const options: RestoreOptions = { target: { kind: "into", target }, force: false };
        const source = dump.source(manifest);
        const plan = await store.planRestore(source, options);
        await using restoration = await store.stage(plan, source, options);
        expect(await restoration.facts()).toEqual(manifest.collections);
        await restoration.switch();
        await restoration.keep();
        const seen = expectUntorn(target);
        expect(seen).toBeGreaterThanOrEqual(last);
        last = seen;
      }
    },
  );

  it("the copy equals the instant of the read, however much is written before the dump", async () => {
    const path = join(temporaryFolder(), "memory.db");
    await untilReady(startScript(constantWriter, path, "WAL"));
    await using store = storeAt(path);
    await using view = await store.open();
    const counts = await view.collections();
    using outside = new DatabaseSync(path, { readOnly: true });
    const seen = scalar(outside, "SELECT max(n) FROM line") as bigint;
    while ((scalar(outside, "SELECT max(n) FROM line") as bigint) < seen + 2000n);
    const facts = await view.dump(new DumpFolder(temporaryFolder(), "memory"));
    expect(facts.collections.map(({ name, records }) => ({ name, records }))).toEqual(counts);
    expect(await view.collections()).toEqual(counts);
  });

  it("in rollback-journal mode it warns, gives way after maxBlock, and still copies one instant", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "memory.db");
    await untilReady(startScript(constantWriter, path, "DELETE"));
    const heard = listen();
    const clock = new ManualClock();
    await using store = storeAt(path, { maxRestarts: 1000 }, contextFor({ ...heard, clock }));
    await using view = await store.open();
    clock.advance(schema.parse({ path }).maxBlock);
    const dump = new DumpFolder(join(folder, "dump"), "memory");
    await view.dump(dump);
    expectUntorn(join(dump.folder, "memory.db"));
    expect(heard.warnings.join("\n")).toContain("nobody can write");
    expect(heard.warnings.join("\n")).toContain("goes on in pieces");
  });

  it("a pinned rollback-journal database keeps its lock whatever else looks at the file", async () => {
    const path = join(temporaryFolder(), "memory.db");
    using writer = new DatabaseSync(path);
    writer.exec("PRAGMA journal_mode = DELETE; CREATE TABLE t(x); INSERT INTO t VALUES (1)");
    await using store = storeAt(path);
    await using view = await store.open();
    await using other = storeAt(path);
    await other.probe();
    await other.describe();
    // Another process, since POSIX locks do not keep a process out of its own files.
    const child = startScript(
      `import { DatabaseSync } from "node:sqlite";
       const db = new DatabaseSync(process.argv[2], { timeout: 0 });
       try { db.exec("INSERT INTO t VALUES (2)"); console.log("written"); } catch { console.log("locked"); }`,
      path,
    );
    const [answer] = (await new Promise((resolve) =>
      child.stdout!.once("data", (...data) => resolve(data)),
    )) as [Buffer];
    expect(answer.toString().trim()).toBe("locked");
    expect(await view.collections()).toEqual([{ name: "t", records: 1 }]);
  });
});
