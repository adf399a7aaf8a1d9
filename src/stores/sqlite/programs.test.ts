/** Databases as real programs make them. */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, it } from "vitest";
import { DumpFolder, takeDump } from "../contract/dump-folder.ts";
import { scalar } from "./sql.ts";
import { listen, contextFor, storeAt, temporaryFolder } from "../../../test/sqlite/processes.ts";

it("W-R1: LangGraph's checkpoints (Rose's memory) with rows that are only in the WAL", async () => {
  const folder = temporaryFolder();
  const path = join(folder, "memory.db");
  using app = new DatabaseSync(path);
  // The schema of langgraph-checkpoint-sqlite 2.0.1.
  app.exec(`PRAGMA journal_mode = WAL;
    CREATE TABLE IF NOT EXISTS checkpoints (thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL DEFAULT '',
      checkpoint_id TEXT NOT NULL, parent_checkpoint_id TEXT, type TEXT, checkpoint BLOB, metadata BLOB,
      PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id));
    CREATE TABLE IF NOT EXISTS writes (thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL DEFAULT '',
      checkpoint_id TEXT NOT NULL, task_id TEXT NOT NULL, idx INTEGER NOT NULL, channel TEXT NOT NULL, type TEXT,
      value BLOB, PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id, task_id, idx))`);
  const checkpoint = app.prepare("INSERT INTO checkpoints VALUES (?, '', ?, ?, 'msgpack', ?, ?)");
  const write = app.prepare("INSERT INTO writes VALUES (?, '', ?, 'task', ?, 'messages', 'msgpack', ?)");
  for (let n = 0; n < 300; n++) {
    const [thread, id] = [`session-${n % 7}`, `1ef-${String(n).padStart(6, "0")}`];
    checkpoint.run(
      thread,
      id,
      n < 7 ? null : `1ef-${String(n - 7).padStart(6, "0")}`,
      new Uint8Array([0x81, n & 255, 0]),
      new Uint8Array(),
    );
    write.run(thread, id, n, new Uint8Array([0xa5, n & 255]));
  }
  await using store = storeAt(path);
  await using view = await store.open();
  const keys: string[] = [];
  for await (const batch of view.keys("checkpoints"))
    for (const { key } of batch) keys.push(Buffer.from(key).toString());
  expect(keys).toHaveLength(300);
  expect(keys[0]).toBe('["session-0","","1ef-000000"]');
  const records = [];
  for await (const record of view.records("checkpoints", [Buffer.from(keys[0]!)]))
    records.push(record.fields);
  expect(records).toMatchObject([{ thread_id: "session-0", parent_checkpoint_id: null, type: "msgpack" }]);
  const dump = new DumpFolder(join(folder, "dump"), "memory");
  const { collections } = await view.dump(dump);
  expect(collections.map(({ name, records }) => [name, records])).toEqual([
    ["checkpoints", 300],
    ["writes", 300],
  ]);
  using copy = new DatabaseSync(join(dump.folder, "memory.db"), { readOnly: true });
  expect(scalar(copy, "SELECT count(*) FROM writes")).toBe(300n);
});

it("a vector table whose module is not here: its shadow tables are copied, and the gap is told", async () => {
  const folder = temporaryFolder();
  const path = join(folder, "memory.db");
  using app = new DatabaseSync(path, { defensive: false });
  // What sqlite-vec's vec0 leaves in the schema and on disk.
  app.exec(`CREATE TABLE v_info(key TEXT PRIMARY KEY, value ANY);
    CREATE TABLE v_chunks(chunk_id INTEGER PRIMARY KEY AUTOINCREMENT, size INTEGER NOT NULL, validity BLOB, rowids BLOB);
    CREATE TABLE v_rowids(rowid INTEGER PRIMARY KEY AUTOINCREMENT, id, chunk_id INTEGER, chunk_offset INTEGER);
    CREATE TABLE v_vector_chunks00(rowid PRIMARY KEY, vectors BLOB NOT NULL);
    INSERT INTO v_vector_chunks00 VALUES (1, zeroblob(4096));
    PRAGMA writable_schema = ON;
    INSERT INTO sqlite_schema(type, name, tbl_name, rootpage, sql)
      VALUES ('table', 'v', 'v', 0, 'CREATE VIRTUAL TABLE v USING vec0(embedding float[4])');
    PRAGMA writable_schema = OFF`);
  app.close();
  const heard = listen();
  const { manifest } = await takeDump(storeAt(path, {}, contextFor(heard)), join(folder, "dump"));
  expect(manifest.collections.map(({ name }) => name)).toContain("v_vector_chunks00");
  expect(heard.warnings.join()).toContain("no such module: vec0");
});

it("rows that break their own schema are told, not refused: the data is what it is", async () => {
  const folder = temporaryFolder();
  const path = join(folder, "memory.db");
  using app = new DatabaseSync(path, { enableForeignKeyConstraints: false, defensive: false });
  app.exec(`CREATE TABLE memory(id TEXT PRIMARY KEY, score REAL);
    CREATE TABLE link(id TEXT REFERENCES memory(id));
    INSERT INTO memory VALUES ('a', NULL); INSERT INTO link VALUES ('a'), ('gone'), ('gone too');
    PRAGMA writable_schema = ON;
    UPDATE sqlite_schema SET sql = replace(sql, 'score REAL', 'score REAL NOT NULL');
    PRAGMA writable_schema = OFF`);
  app.close();
  const heard = listen();
  const { manifest } = await takeDump(storeAt(path, {}, contextFor(heard)), join(folder, "dump"));
  expect(manifest.warnings.join("\n")).toContain("NULL value in memory.score");
  expect(manifest.warnings.join("\n")).toContain("2 rows of link refer to rows that do not exist");
  expect(heard.warnings).toEqual(expect.arrayContaining(manifest.warnings));
});

it("maintenance does what it says and changes no content", async () => {
  const folder = temporaryFolder();
  const path = join(folder, "memory.db");
  using app = new DatabaseSync(path);
  app.exec(`PRAGMA journal_mode = WAL; CREATE TABLE memory(id TEXT PRIMARY KEY, x);
    WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 3000) INSERT INTO memory SELECT 'k' || n, zeroblob(900) FROM c;
    DELETE FROM memory WHERE length(id) = 5`);
  await using store = storeAt(path);
  const before = await takeDump(store, join(folder, "before"));
  const outcomes: string[] = [];
  for (const task of await store.maintenance()) outcomes.push(`${task.name}: ${await task.run()}`);
  expect(outcomes[0]).toBe("checkpoint: the WAL is empty");
  expect(outcomes.at(-1)).toMatch(/^vacuum: [1-9][\d.]* (bytes|kB|MB)/);
  const after = await takeDump(store, join(folder, "after"));
  expect(after.manifest.collections).toEqual(before.manifest.collections);
});

it("collations of the application: what can be read is copied and told, what cannot is refused by its name", async () => {
  const folder = temporaryFolder();
  const path = join(folder, "memory.db");
  function make(sql: string): void {
    using app = new DatabaseSync(path, { defensive: false });
    app.exec(`${sql}; PRAGMA writable_schema = ON;
      UPDATE sqlite_schema SET sql = replace(sql, 'nocase', 'agent_order');
      PRAGMA writable_schema = OFF`);
  }
  make(`CREATE TABLE by_rowid(id TEXT COLLATE nocase PRIMARY KEY, text); INSERT INTO by_rowid VALUES ('a', 1), ('b', 2);
    CREATE INDEX texts ON by_rowid(text COLLATE nocase)`);
  const heard = listen();
  const { manifest } = await takeDump(storeAt(path, {}, contextFor(heard)), join(folder, "dump"));
  expect(manifest.collections).toMatchObject([{ name: "by_rowid", records: 2 }]);
  expect(heard.warnings.join()).toContain("agent_order");

  make("CREATE TABLE by_key(id TEXT COLLATE nocase PRIMARY KEY) WITHOUT ROWID");
  await expect(takeDump(storeAt(path), join(folder, "second"))).rejects.toMatchObject({
    code: "STORE_UNREADABLE",
    message: expect.stringContaining("by_key") as string,
    next: expect.stringContaining("export") as string,
  });
});
