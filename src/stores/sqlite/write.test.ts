/** Records written back into a database in use: exactly, with its triggers, and nothing else. */
import { copyFileSync, existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, it } from "vitest";
import type { Store, Written } from "../store.ts";
import { scalar } from "./sql.ts";
import { makeSample } from "../../../test/sqlite/sample.ts";
import { storeAt, temporaryFolder } from "../../../test/sqlite/processes.ts";

function twoCopies(make: (path: string) => void): { whole: string; harmed: string } {
  const folder = temporaryFolder();
  const [whole, harmed] = [join(folder, "whole.db"), join(folder, "harmed.db")];
  make(whole);
  {
    using db = new DatabaseSync(whole);
    db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  }
  copyFileSync(whole, harmed);
  return { whole, harmed };
}

/** Copies all records of a table from one database to the other. */
async function copyAll(from: Store, to: Store, table: string): Promise<Written> {
  await using view = await from.open();
  const keys: Uint8Array[] = [];
  for await (const batch of view.keys(table)) for (const { key } of batch) keys.push(key);
  return await to.write(table, view.records(table, keys));
}

function change(path: string, sql: string): void {
  using db = new DatabaseSync(path, { enableForeignKeyConstraints: false });
  db.exec(sql);
}

function count(path: string, sql: string): unknown {
  using db = new DatabaseSync(path, { readOnly: true });
  return scalar(db, sql);
}

it("law 2: every type of value comes back to the bit, into every kind of table", async () => {
  const { whole, harmed } = twoCopies((path) =>
    change(
      path,
      `CREATE TABLE t(k TEXT, n INTEGER, v, stored AS (length(v)) STORED, virtual AS (typeof(v)), PRIMARY KEY (k, n)) WITHOUT ROWID;
       CREATE TABLE s(id INTEGER PRIMARY KEY, x ANY) STRICT;
       INSERT INTO t(k, n, v) VALUES ('a', 1, -0.0), ('a', 2, 9223372036854775807), ('a', 3, CAST(x'ff41' AS TEXT)), ('a', 4, x''),
         ('a', 5, ''), ('a', 6, NULL), ('a' || char(0), 7, 'x' || char(0)), (CAST(x'c3' AS TEXT), 8, 4.9406564584124654e-324), ('𝄞', 9, 9e999);
       INSERT INTO s VALUES (1, 1.0), (2, 1), (-9223372036854775808, '1'), (4, x'31');`,
    ),
  );
  change(
    harmed,
    "DELETE FROM t WHERE n > 4; UPDATE t SET v = 0.0; DELETE FROM s WHERE id < 0; UPDATE s SET x = 5",
  );
  await using from = storeAt(whole);
  await using to = storeAt(harmed);
  expect(await copyAll(from, to, "t")).toEqual({ inserted: 5, updated: 4, unchanged: 0 });
  expect(await copyAll(from, to, "s")).toEqual({ inserted: 1, updated: 3, unchanged: 0 });
  expect(await copyAll(from, to, "t")).toEqual({ inserted: 0, updated: 0, unchanged: 9 });
  for (const table of ["t", "s"]) {
    const all = `SELECT group_concat(r, ';') FROM (SELECT quote(${table === "t" ? "k || n || hex(v) || typeof(v)" : "id || hex(x) || typeof(x)"}) AS r FROM ${table} ORDER BY 1)`;
    expect(count(harmed, all)).toBe(count(whole, all));
  }
});

it("an index kept by triggers fits the table afterwards, and rows of the target alone stay", async () => {
  const { whole, harmed } = twoCopies((path) =>
    change(
      path,
      `CREATE TABLE memories(id TEXT PRIMARY KEY, text TEXT);
       CREATE VIRTUAL TABLE found USING fts5(text, content='memories');
       CREATE TRIGGER i AFTER INSERT ON memories BEGIN INSERT INTO found(rowid, text) VALUES (new.rowid, new.text); END;
       CREATE TRIGGER u AFTER UPDATE ON memories BEGIN
         INSERT INTO found(found, rowid, text) VALUES ('delete', old.rowid, old.text);
         INSERT INTO found(rowid, text) VALUES (new.rowid, new.text); END;
       INSERT INTO memories VALUES ('one', 'the red fox'), ('two', 'a blue whale');`,
    ),
  );
  change(
    harmed,
    "UPDATE memories SET text = 'nothing' WHERE id = 'one'; INSERT INTO memories VALUES ('mine', 'my own')",
  );
  await using from = storeAt(whole);
  await using to = storeAt(harmed);
  expect(await copyAll(from, to, "memories")).toEqual({ inserted: 0, updated: 1, unchanged: 1 });
  expect(count(harmed, "SELECT count(*) FROM found WHERE found MATCH 'fox'")).toBe(1n);
  expect(count(harmed, "SELECT count(*) FROM memories")).toBe(3n);
  change(harmed, "INSERT INTO found(found, rank) VALUES ('integrity-check', 1)");
});

it("law 5: what a trigger changes, or another rule of the table refuses, leaves the batch unwritten", async () => {
  const { whole, harmed } = twoCopies((path) =>
    change(
      path,
      `CREATE TABLE t(id INTEGER PRIMARY KEY, mail TEXT UNIQUE, seen INTEGER DEFAULT 0);
       INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 1);`,
    ),
  );
  await using from = storeAt(whole);
  await using to = storeAt(harmed);
  change(harmed, "DELETE FROM t; INSERT INTO t VALUES (3, 'b', 0)");
  await expect(copyAll(from, to, "t")).rejects.toMatchObject({ code: "STORE_UNSUPPORTED" });
  expect(count(harmed, "SELECT group_concat(id) FROM t")).toBe("3");
  change(
    harmed,
    `DELETE FROM t; CREATE TRIGGER touch AFTER INSERT ON t BEGIN UPDATE t SET seen = 99 WHERE id = new.id; END`,
  );
  await expect(copyAll(from, to, "t")).rejects.toMatchObject({ code: "COMPARE_FAILED" });
  expect(count(harmed, "SELECT count(*) FROM t")).toBe(0n);
});

it("refuses what cannot be told apart, what only SQLite writes, and a file that is not there", async () => {
  const { whole, harmed } = twoCopies((path) => makeSample(path));
  await using from = storeAt(whole);
  await using to = storeAt(harmed);
  for (const table of ["mixed", "memories_fts_data", "sqlite_sequence", "any_key"]) {
    await expect(copyAll(from, to, table), table).rejects.toMatchObject({ code: "STORE_UNSUPPORTED" });
  }
  await expect(copyAll(from, to, "edges")).resolves.toMatchObject({ inserted: 0, updated: 0 });
  for (const suffix of ["", "-wal", "-shm"]) rmSync(harmed + suffix, { force: true });
  await expect(copyAll(from, to, "edges")).rejects.toMatchObject({ code: "STORE_MISSING" });
  expect(existsSync(harmed)).toBe(false);
});
