/** A SQLite memory as agents keep it: text, tags, scores, embeddings and a full-text index, in WAL mode. */
import { createHash } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import { embeddingOf, memoryOf } from "./memories.ts";

/** Writes `count` memories into a new file, and leaves the last of them in the `-wal` file as a running agent does. */
export function createMemory(path: string, count: number): DatabaseSync {
  const db = new DatabaseSync(path);
  db.exec(`PRAGMA journal_mode = WAL;
    CREATE TABLE memories (id TEXT PRIMARY KEY, content TEXT, tags TEXT, score REAL, updated_at TEXT, embedding BLOB);
    CREATE VIRTUAL TABLE memories_fts USING fts5(content, content = 'memories', content_rowid = 'rowid');`);
  addMemories(db, 0, count);
  return db;
}

/** Adds memories number `from` to before `to`, in one transaction. */
export function addMemories(db: DatabaseSync, from: number, to: number): void {
  const insert = db.prepare("INSERT INTO memories VALUES (?, ?, ?, ?, ?, ?)");
  const index = db.prepare("INSERT INTO memories_fts (rowid, content) VALUES (?, ?)");
  db.exec("BEGIN");
  for (let number = from; number < to; number++) {
    const { id, content, tags, score, updatedAt } = memoryOf(number, false);
    const embedding = new Uint8Array(embeddingOf(number, false).buffer);
    const { lastInsertRowid } = insert.run(id, content, JSON.stringify(tags), score, updatedAt, embedding);
    index.run(lastInsertRowid, content);
  }
  db.exec("COMMIT");
}

/** Another score and time for one memory in a hundred, scattered over the file, others each `day`: what a day of use does. */
export function recallMemories(db: DatabaseSync, count: number, day = 37): number {
  const update = db.prepare("UPDATE memories SET score = ?, updated_at = ? WHERE id = ?");
  let changed = 0;
  db.exec("BEGIN");
  for (let number = day % 100; number < count; number += 100, changed++) {
    const { id, score, updatedAt } = memoryOf(number, true);
    update.run(score, updatedAt, id);
  }
  db.exec("COMMIT");
  return changed;
}

/** How many memories there are, and one SHA-256 over all of them in order of their ids: computed here, not by memkeep's engine. */
export function fingerprint(path: string): { count: number; sha256: string } {
  using db = new DatabaseSync(path, { readOnly: true });
  const hash = createHash("sha256");
  let count = 0;
  for (const row of db.prepare("SELECT * FROM memories ORDER BY id").iterate()) {
    for (const value of Object.values(row))
      hash.update(value instanceof Uint8Array ? value : `${String(value)}\0`);
    count++;
  }
  return { count, sha256: hash.digest("hex") };
}

/** What SQLite itself says of the file: `ok`, or what is wrong. */
export function quickCheck(path: string): string {
  try {
    using db = new DatabaseSync(path, { readOnly: true });
    const [said] = Object.values(db.prepare("PRAGMA quick_check(1)").get() ?? {});
    return String(said).split("\n").at(-1) ?? "";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
