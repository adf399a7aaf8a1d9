/** `--mode merge`: a snapshot's records into a database in use, and nothing of it lost. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, it } from "vitest";
import { temporaryFolder } from "../../../test/sqlite/processes.ts";
import { silentObserver } from "../../domain/observer.ts";
import { systemClock } from "../../util/clock/clock.ts";
import { takeDump } from "../contract/dump-folder.ts";
import type { DumpSource, RestoreOptions, Store, StoreContext } from "../store.ts";
import { schema } from "./config.ts";
import { sqlite } from "./index.ts";
import { scalar } from "./sql.ts";

const merge: RestoreOptions = { target: { kind: "in-place" }, force: false, mode: "merge" };

interface Case extends AsyncDisposable {
  readonly db: DatabaseSync;
  readonly store: Store;
  readonly source: DumpSource;
  readonly spool: string;
}

/** A database, its dump, and a connection of the application, which has changed it since. */
async function changed(before: string, since: string): Promise<Case> {
  const folder = temporaryFolder();
  const [path, spool] = [join(folder, "memory.db"), temporaryFolder()];
  const db = new DatabaseSync(path, { enableForeignKeyConstraints: false, defensive: false });
  db.exec(`PRAGMA journal_mode = WAL; ${before}`);
  const context: StoreContext = {
    name: "memory",
    clock: systemClock,
    observer: silentObserver,
    spoolFolder: spool,
    signal: new AbortController().signal,
  };
  const store = sqlite.connect(schema.parse({ path }), context);
  const { dump, manifest } = await takeDump(store, join(folder, "dump"));
  db.exec(since);
  return {
    db,
    store,
    source: dump.source(manifest),
    spool,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      db.close();
    },
  };
}

const memories = `CREATE TABLE memories(id TEXT PRIMARY KEY, text TEXT, score);
  CREATE VIRTUAL TABLE found USING fts5(text, content='memories');
  CREATE TRIGGER i AFTER INSERT ON memories BEGIN INSERT INTO found(rowid, text) VALUES (new.rowid, new.text); END;
  CREATE TRIGGER u AFTER UPDATE ON memories BEGIN
    INSERT INTO found(found, rowid, text) VALUES ('delete', old.rowid, old.text);
    INSERT INTO found(rowid, text) VALUES (new.rowid, new.text); END;
  CREATE TRIGGER d AFTER DELETE ON memories BEGIN INSERT INTO found(found, rowid, text) VALUES ('delete', old.rowid, old.text); END;
  CREATE TABLE log(what, n);
  INSERT INTO log VALUES ('seen', 1), ('seen', 1), (NULL, -0.0);
  INSERT INTO memories VALUES ('one', 'the red fox', 0.1), ('two', 'a blue whale', -0.0), ('three', 'a grey wolf', 9e999);`;
const since = `DELETE FROM memories WHERE id = 'one'; UPDATE memories SET score = 0.0 WHERE id = 'two';
  INSERT INTO memories VALUES ('mine', 'my own', 1); INSERT INTO log VALUES ('later', 2)`;

it("inserts and updates beside a running application, keeps the index of its triggers fitting, and deletes nothing", async () => {
  await using one = await changed(memories, since);
  const { db, store, source, spool } = one;
  const plan = await store.planRestore(source, merge);
  expect(plan.obstacles).toEqual([]);
  expect(plan.actions[1]).toBe('memories: insert 1, update 1 ("one", "two")');
  expect(plan.actions.at(-1)).toContain("found_data");
  expect(plan.changes).toEqual([
    { collection: "log", recordsNow: 4, recordsThen: 4 },
    { collection: "memories", recordsNow: 3, recordsThen: 4 },
  ]);
  await using restoration = await store.stage(plan, source, merge);
  await restoration.switch();
  // Readers see the old records until it is kept.
  expect(scalar(db, "SELECT count(*) FROM memories")).toBe(3n);
  expect(await restoration.facts()).toEqual(restoration.expected);
  await restoration.keep();
  expect(scalar(db, "SELECT group_concat(id || ':' || hex(score), ' ' ORDER BY id) FROM memories")).toBe(
    scalar(
      db,
      "SELECT 'mine:' || hex(1) || ' one:' || hex(0.1) || ' three:' || hex(9e999) || ' two:' || hex(-0.0)",
    ),
  );
  expect(scalar(db, "SELECT count(*) FROM found WHERE found MATCH 'fox OR own'")).toBe(2n);
  db.exec("INSERT INTO found(found, rank) VALUES ('integrity-check', 1)");
  const again = await store.planRestore(source, merge);
  expect(again.actions.some((action) => action.startsWith("memories:"))).toBe(false);
  await restoration[Symbol.asyncDispose]();
  expect(readdirSync(spool)).toEqual([]);
});

it("law 5: a roll-back, and an end in the middle, leave everything as it was; a plan that is old is refused", async () => {
  await using one = await changed(memories, since);
  const { db, store, source } = one;
  const all = "SELECT group_concat(id || text || hex(score), ' ' ORDER BY id) FROM memories";
  const before = scalar(db, all);
  const plan = await store.planRestore(source, merge);
  for (const isRolledBack of [true, false]) {
    await using restoration = await store.stage(plan, source, merge);
    await restoration.switch();
    if (isRolledBack) await restoration.rollBack();
  }
  expect(scalar(db, all)).toBe(before);
  db.exec("INSERT INTO memories VALUES ('later', 'x', 0)");
  const fresh = await store.planRestore(source, merge);
  db.exec("INSERT INTO memories VALUES ('latest', 'x', 0)");
  await expect(store.stage(fresh, source, merge)).rejects.toMatchObject({ code: "PLAN_STALE" });
  const force = { ...merge, force: true };
  const forcedPlan = await store.planRestore(source, force);
  db.exec("INSERT INTO memories VALUES ('last', 'x', 0)");
  await using forced = await store.stage(forcedPlan, source, force);
  await forced.switch();
  await forced.keep();
  expect(scalar(db, "SELECT count(*) FROM memories")).toBe(7n);
});

it("what cannot be told apart, or only its virtual table writes, stands in the way as soon as it would be written", async () => {
  const own = `${memories} CREATE VIRTUAL TABLE notes USING fts5(text); INSERT INTO notes VALUES ('a note');
    CREATE TABLE nulls(k PRIMARY KEY, v); INSERT INTO nulls VALUES (NULL, 1), (NULL, 2), ('a', 3);`;
  for (const [change, obstacle] of [
    ["DELETE FROM log WHERE what IS NULL", /1 records of the table log .* no primary key/],
    ["DELETE FROM notes", /table notes_content .* only its virtual table/],
    ["UPDATE nulls SET v = 3 WHERE v = 2", /table nulls .* several rows have one key/],
    ["DROP TABLE log", /has no table log/],
    ["ALTER TABLE log ADD COLUMN extra", /log has other columns/],
  ] as const) {
    await using one = await changed(own, change);
    const plan = await one.store.planRestore(one.source, merge);
    expect(plan.obstacles, change).toEqual([
      { overridable: false, text: expect.stringMatching(obstacle) as string },
    ]);
    await expect(one.store.stage(plan, one.source, merge), change).rejects.toMatchObject({
      code: "STORE_UNSUPPORTED",
    });
  }
});

it("the inside of a virtual table whose module is not here is never written", async () => {
  const foreign = `CREATE TABLE vec_chunks(id INTEGER PRIMARY KEY, data BLOB); INSERT INTO vec_chunks VALUES (1, x'00'), (2, x'01');
    PRAGMA writable_schema = ON;
    INSERT INTO sqlite_schema(type, name, tbl_name, rootpage, sql) VALUES ('table', 'vec', 'vec', 0, 'CREATE VIRTUAL TABLE vec USING vec0(e float[2])');
    PRAGMA writable_schema = RESET;`;
  await using one = await changed(foreign, "DELETE FROM vec_chunks WHERE id = 2");
  const { obstacles } = await one.store.planRestore(one.source, merge);
  expect(obstacles).toEqual([{ overridable: false, text: expect.stringContaining("vec_chunks") as string }]);
  async function* records() {
    yield { key: Buffer.from("2"), fields: { id: 2n, data: Buffer.from([1]) } };
  }
  await expect(one.store.write("vec_chunks", records())).rejects.toMatchObject({
    code: "STORE_UNSUPPORTED",
  });
});

it("what a trigger does to a record of another table is found by the comparison", async () => {
  await using one = await changed(
    `CREATE TABLE a(id INTEGER PRIMARY KEY, v); CREATE TABLE b(id INTEGER PRIMARY KEY, v);
     INSERT INTO a VALUES (1, 1); INSERT INTO b VALUES (1, 1);
     CREATE TRIGGER t AFTER INSERT ON b BEGIN UPDATE a SET v = 99; END`,
    "DELETE FROM b",
  );
  const plan = await one.store.planRestore(one.source, merge);
  await using restoration = await one.store.stage(plan, one.source, merge);
  await restoration.switch();
  expect(await restoration.facts()).not.toEqual(restoration.expected);
  await restoration.rollBack();
  expect(scalar(one.db, "SELECT v FROM a")).toBe(1n);
});
