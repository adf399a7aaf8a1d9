/** Digests and keys: equal for equal content, different for any difference. */
import { join } from "node:path";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CollectionFacts } from "../../domain/manifest.ts";
import { canonicalKey, decodeText, parseKey, RawText } from "./canonical-key.ts";
import { recordsByKey, sortedKeys } from "./keys.ts";
import { hostileNames, makeSample } from "../../../test/sqlite/sample.ts";
import { digestTable } from "./scan.ts";
import { readCatalog, type Column, type TextEncoding } from "./schema.ts";
import { quoteName } from "./sql.ts";
import { temporaryFolder } from "../../../test/sqlite/processes.ts";

function digests(db: DatabaseSync): Map<string, CollectionFacts> {
  const { tables, encoding } = readCatalog(db);
  return new Map(tables.map((table) => [table.name, digestTable(db, table, encoding)]));
}

function digestOf(schema: string, ...inserts: string[]): CollectionFacts {
  using db = new DatabaseSync(":memory:");
  db.exec(`${schema}; ${inserts.join(";")}`);
  const { tables, encoding } = readCatalog(db);
  return digestTable(db, tables[0]!, encoding);
}

describe("content digest", () => {
  it("law 2: tells every two values apart that SQLite tells apart", () => {
    const values = [
      ..."NULL 0 1 -1 0.0 -0.0 1.0 9e999 -9e999 9223372036854775807 9223372036854775806 9007199254740993 9007199254740992".split(
        " ",
      ),
      "4.9406564584124654e-324",
      "0.1",
      "0.30000000000000004",
      "0.3",
      "''",
      "x''",
      "'a'",
      "x'61'",
      "'a' || char(0)",
      "'a' || char(0) || 'b'",
      "'1'",
      "CAST(x'ff' AS TEXT)",
      "CAST(x'fe' AS TEXT)",
      "char(65533)",
      "x'ff'",
      "'é'",
      "'e' || char(769)",
    ];
    const seen = new Map<string, string>();
    for (const value of values) {
      const { contentDigest } = digestOf("CREATE TABLE t(x)", `INSERT INTO t VALUES (${value})`);
      expect(seen.get(contentDigest), value).toBeUndefined();
      seen.set(contentDigest, value);
    }
  });

  it("does not depend on page layout, insertion order, or the order of columns", () => {
    const one = digestOf(
      "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b)",
      "INSERT INTO t VALUES (1, 'x', 2), (2, 'y', 3)",
    );
    const two = digestOf(
      "PRAGMA page_size = 512; CREATE TABLE t(b, a, id INTEGER PRIMARY KEY)",
      "INSERT INTO t VALUES (3, 'y', 2); INSERT INTO t VALUES (2, 'x', 1)",
    );
    expect(two).toEqual(one);
    const renamed = digestOf(
      "CREATE TABLE t(id INTEGER PRIMARY KEY, a, c)",
      "INSERT INTO t VALUES (1, 'x', 2), (2, 'y', 3)",
    );
    expect(renamed.contentDigest).not.toBe(one.contentDigest);
  });

  it("counts the implicit rowid, on which vec0 and FTS5 join, as content", () => {
    const one = digestOf("CREATE TABLE t(x)", "INSERT INTO t(rowid, x) VALUES (1, 'a')");
    const two = digestOf("CREATE TABLE t(x)", "INSERT INTO t(rowid, x) VALUES (2, 'a')");
    expect(two.contentDigest).not.toBe(one.contentDigest);
  });

  it("reads UTF-16 databases", () => {
    for (const encoding of ["UTF-16le", "UTF-16be"]) {
      const schema = `PRAGMA encoding = '${encoding}'; CREATE TABLE t(id TEXT PRIMARY KEY, x)`;
      const one = digestOf(schema, "INSERT INTO t VALUES ('ключ', '𝄞')");
      const two = digestOf(schema, "INSERT INTO t VALUES ('ключ', '𝄟')");
      expect(one.contentDigest).not.toBe(two.contentDigest);
      expect(one.keyDigest).toBe(
        digestOf("CREATE TABLE t(id TEXT PRIMARY KEY, x)", "INSERT INTO t VALUES ('ключ', 1)").keyDigest,
      );
    }
  });

  it("law 12: hostile names are names (fuzzed)", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.constantFrom(...hostileNames),
          fc.string({ unit: "binary" }),
          fc.string({ unit: "grapheme" }),
        ),
        fc.string({ unit: "grapheme" }),
        (tableName, columnName) => {
          fc.pre(!`${tableName}${columnName}`.includes("\0") && !/^sqlite_/i.test(tableName));
          fc.pre(tableName.isWellFormed() && columnName.isWellFormed());
          using db = new DatabaseSync(":memory:");
          db.exec(`CREATE TABLE ${quoteName(tableName)}(${quoteName(columnName)} TEXT PRIMARY KEY)`);
          db.prepare(`INSERT INTO ${quoteName(tableName)} VALUES (?)`).run("value");
          const { tables } = readCatalog(db);
          expect(tables.map(({ name }) => name)).toEqual([tableName]);
          expect(digestTable(db, tables[0]!, "UTF-8").records).toBe(1);
          const [record] = recordsByKey(db, tables[0]!, "UTF-8", [Buffer.from("value")]);
          expect(record?.fields).toEqual({ [columnName]: "value" });
        },
      ),
      { numRuns: 200 },
    );
  });

  it("any single change of a value changes the table's digest, and no other table's (property)", () => {
    const folder = temporaryFolder();
    const path = join(folder, "memory.db");
    makeSample(path, 20);
    using db = new DatabaseSync(path, { defensive: false });
    const before = digests(db);
    for (const sql of [
      "UPDATE memories SET importance = importance + 1e-15 WHERE id = 'memory-3'",
      "UPDATE strictly SET n = -n WHERE id = 5",
      "DELETE FROM edges WHERE n = 4",
      "INSERT INTO mixed VALUES (1, '1')",
      "UPDATE any_key SET v = 'x' WHERE k = 1.5",
      "UPDATE memories_fts_config SET v = v + 1",
      "UPDATE sqlite_sequence SET seq = 99",
    ]) {
      db.exec(`BEGIN; ${sql}`);
      const now = digests(db);
      db.exec("ROLLBACK");
      const changed = [...now].filter(
        ([name, facts]) => facts.contentDigest !== before.get(name)!.contentDigest,
      );
      expect(changed.length, sql).toBe(1);
    }
  });
});

describe("canonical keys", () => {
  const value: fc.Arbitrary<SQLInputValue> = fc.oneof(
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.constant(null),
    fc.double({ noNaN: true }),
    fc.oneof(fc.string({ unit: "grapheme" }), fc.constantFrom("1", "-0", "0", "[1]", "", "null", '["a"]')),
    fc.uint8Array({ maxLength: 12 }),
  );
  const column = (affinity: Column["affinity"]): Column => ({ name: "k", affinity });

  it("two different keys never have the same bytes, and each finds its row (property)", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("TEXT", "BIGINT", "", "BLOB", "REAL", "UUID"),
        fc.uniqueArray(value, { maxLength: 12 }),
        (type, values) => {
          using db = new DatabaseSync(":memory:");
          db.exec(`CREATE TABLE t(k ${type}, n INTEGER, PRIMARY KEY(k DESC))`);
          const insert = db.prepare("INSERT OR IGNORE INTO t VALUES (?, ?)");
          values.forEach((key, n) => insert.run(key, n));
          const [table] = readCatalog(db).tables;
          const found = [...sortedKeys(db, table!, "UTF-8", ":memory:")].flat().map(({ key }) => key);
          const distinct = new Set(found.map((key) => Buffer.from(key).toString("hex")));
          const nulls = Number(db.prepare("SELECT count(*) AS n FROM t WHERE k IS NULL").get()!["n"]);
          expect(distinct.size).toBe(found.length - Math.max(0, nulls - 1));
          for (const key of found) {
            const records = [...recordsByKey(db, table!, "UTF-8", [key])];
            expect(records.length, Buffer.from(key).toString()).toBeGreaterThan(0);
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  it("is the plain value where it can be", () => {
    const plain = (key: SQLInputValue, affinity: Column["affinity"] = "text"): string =>
      canonicalKey([key as string], [column(affinity)], "UTF-8").toString();
    expect(plain("memory-1")).toBe("memory-1");
    expect(plain(5n, "integer")).toBe("5");
    expect(plain("5", "blob")).toBe('["5"]');
    expect(plain("[x")).toBe('["[x"]');
    expect(canonicalKey(["a", 2n, null], [column("text")], "UTF-8").toString()).toBe('["a",2,null]');
    expect(parseKey(Buffer.from("[9223372036854775807]"), [column("integer")], "UTF-8")).toEqual([
      { value: 9223372036854775807n, isRawText: false },
    ]);
    expect(canonicalKey([new RawText(Buffer.from([0xff]))], [column("text")], "UTF-8").toString()).toBe(
      '[{"text":"ff"}]',
    );
  });

  it("text survives in every encoding, and what is not text is told", () => {
    for (const encoding of ["UTF-8", "UTF-16le", "UTF-16be"] satisfies TextEncoding[]) {
      expect(decodeText(Buffer.from([0xd8, 0xd8, 0xff]), encoding)).toBeUndefined();
    }
  });
});
