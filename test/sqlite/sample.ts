/** The sample database of the tests: every kind of table and value that SQLite has, under names that hurt. */
import { DatabaseSync } from "node:sqlite";
import { quoteName } from "../../src/stores/sqlite/sql.ts";

export const hostileNames: readonly string[] = [
  'a"b',
  "select",
  "'; DROP TABLE memories; --",
  "",
  " ",
  "näme 🧠",
  "a\nb",
  "x[y]",
  "`tick`",
  "%s\\n",
];

/** Writes the sample into an empty or missing file, in WAL mode. */
export function makeSample(path: string, rows = 60): void {
  using db = new DatabaseSync(path, { enableForeignKeyConstraints: false, defensive: false });
  db.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA user_version = 7; PRAGMA application_id = 1234;
    CREATE TABLE memories(id TEXT PRIMARY KEY, content TEXT NOT NULL, importance REAL, created_at INTEGER,
      length INTEGER AS (length(content)) STORED, shout TEXT AS (upper(content)) VIRTUAL);
    CREATE INDEX memories_by_time ON memories(created_at);
    CREATE VIRTUAL TABLE memories_fts USING fts5(content, content='memories');
    CREATE TABLE vectors(memory_id TEXT PRIMARY KEY REFERENCES memories(id), vector BLOB) WITHOUT ROWID;
    CREATE TABLE strictly(id INTEGER PRIMARY KEY AUTOINCREMENT, n INTEGER, x ANY) STRICT;
    CREATE TABLE mixed(a, b);
    CREATE TABLE edges(source TEXT, target TEXT, n INTEGER, PRIMARY KEY(source, target, n));
    CREATE TABLE any_key(k PRIMARY KEY, v);
    CREATE VIEW recent AS SELECT * FROM memories ORDER BY created_at DESC LIMIT 5;
    CREATE TRIGGER touched AFTER INSERT ON strictly BEGIN INSERT INTO mixed VALUES ('trigger', new.id); END;
    INSERT INTO mixed VALUES (NULL, ''), (0, 0.0), (-0.0, 1.0), (1, '1'), (9223372036854775807, -9223372036854775808),
      (9e999, -9e999), (4.9406564584124654e-324, 1.7976931348623157e308), (x'', x'00ff'), ('a' || char(0) || 'b', x'6100'),
      (CAST(x'ff41' AS TEXT), CAST(x'c3' AS TEXT)), (char(65533), '𝄞'), (1, '1');
    INSERT INTO any_key VALUES (1, 'int'), ('1', 'text'), (1.5, 'real'), (x'31', 'blob'), (NULL, 'null'), (NULL, 'null 2'),
      ('[1]', 'bracket'), ('', 'empty'), (CAST(x'ff' AS TEXT), 'invalid'), ('a' || char(0), 'NUL'), (-0.0, 'zero');
  `);
  for (const name of hostileNames) {
    db.exec(
      `CREATE TABLE ${quoteName(`t${name}`)}(${quoteName(name)} TEXT PRIMARY KEY, ${quoteName(`${name}2`)})`,
    );
    db.prepare(`INSERT INTO ${quoteName(`t${name}`)} VALUES (?, ?)`).run(name, name);
  }
  const memory = db.prepare("INSERT INTO memories(id, content, importance, created_at) VALUES (?, ?, ?, ?)");
  const vector = db.prepare("INSERT INTO vectors VALUES (?, ?)");
  const edge = db.prepare("INSERT INTO edges VALUES (?, ?, ?)");
  const strict = db.prepare("INSERT INTO strictly(n, x) VALUES (?, ?)");
  db.exec("BEGIN");
  for (let n = 0; n < rows; n++) {
    const id = `memory-${n}`;
    memory.run(id, `the user said number ${n}, in words`, n / 7, 1_700_000_000_000 + n);
    vector.run(id, new Uint8Array(Float32Array.from({ length: 32 }, (_, at) => Math.sin(n + at)).buffer));
    edge.run(id, `memory-${n + 1}`, n);
    strict.run(n, n % 2 === 0 ? n / 3 : `text ${n}`);
  }
  db.exec("INSERT INTO memories_fts(memories_fts) VALUES ('rebuild'); COMMIT");
}
