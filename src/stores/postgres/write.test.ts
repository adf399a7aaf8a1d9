/** Given records written into tables in use: types, keys, triggers, foreign keys, sequences, rights. */
import { describe, expect, it } from "vitest";
import { engine } from "../../../test/engines/require.ts";
import type { Store, Written } from "../store.ts";
import {
  type TestDatabase,
  corpusSql,
  createDatabase,
  sql,
  useBench,
} from "../../../test/postgres/testing.ts";

const postgres16 = await engine("postgres-16");
describe.skipIf(postgres16.missing)("writing given records", () => {
  const bench = useBench(() => postgres16.start());
  const { connect } = bench;

  async function databaseWith(text: string): Promise<TestDatabase> {
    const database = await createDatabase(bench.server.url);
    await sql(database.url, text);
    return database;
  }

  /** Writes all records of one store's table into another's. */
  async function copy(from: Store, to: Store, collection: string): Promise<Written> {
    await using view = await from.open();
    const keys: Uint8Array[] = [];
    for await (const batch of view.keys(collection)) keys.push(...batch.map(({ key }) => key));
    return await to.write(collection, view.records(collection, keys));
  }

  async function digests(store: Store, collection: string): Promise<string[]> {
    await using view = await store.open();
    const found: string[] = [];
    for await (const batch of view.keys(collection)) {
      found.push(
        ...batch.map(({ key, digest }) => Buffer.concat([key, Buffer.of(0), digest]).toString("hex")),
      );
    }
    return found.sort();
  }

  it("every type's edge values, 300 columns, and texts that only look equal arrive as they are", async () => {
    const wide = Array.from({ length: 300 }, (_, n) => `"c ${n}" text DEFAULT 'x${n}'`).join(", ");
    const more = `CREATE EXTENSION vector; CREATE DOMAIN doc AS jsonb; CREATE DOMAIN small AS integer CHECK (VALUE < 9);
      CREATE TYPE duo AS (a integer, b text);
      CREATE TABLE points (at vector(2) PRIMARY KEY, t text);
      CREATE TABLE odd (amount numeric PRIMARY KEY, float double precision, d doc, j json, s small, p duo[],
        q duo, bits bit varying(5), padded char(3), raw bytea, many text[], one "char", doubled numeric GENERATED ALWAYS AS (amount * 2) STORED);
      CREATE TABLE wider (id integer PRIMARY KEY, ${wide});`;
    const rows = `INSERT INTO odd VALUES (1.00, '-0', '"text"', '{"b":  1, "a": 1}', 8,
        ARRAY[ROW(1, 'x"y\\z')::duo, NULL], ROW(NULL, '')::duo, B'101', 'a', '\\x00ff5c', ARRAY['NULL', NULL, '', '{"'], 'z'),
        ('NaN', '5e-324', 'null', 'null', NULL, '{}', NULL, '', '', '', '{}', '');
      INSERT INTO points VALUES ('[1,-0]', 'x'), ('[1e-30,2]', NULL);
      INSERT INTO wider (id) SELECT generate_series(1, 1001)`;
    const types = await corpusSql("types");
    await using full = await databaseWith(`${types}; ${more} ${rows}`);
    await using empty = await databaseWith(`${types}; ${more}`);
    const [from, to] = [await connect(full.url), await connect(empty.url)];
    const tables = await sql(
      full.url,
      `SELECT c.relname AS name FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
         AND EXISTS (SELECT FROM pg_index WHERE indrelid = c.oid AND indisprimary)`,
    );
    expect(tables.length).toBeGreaterThan(3);
    for (const { name } of tables) {
      const collection = `public.${String(name)}`;
      await sql(empty.url, `DELETE FROM "${String(name)}"`);
      const { inserted, updated } = await copy(from, to, collection);
      expect(updated, collection).toBe(0);
      expect(inserted, collection).toBeGreaterThan(0);
      expect(await digests(to, collection), collection).toEqual(await digests(from, collection));
    }
    await sql(
      empty.url,
      'UPDATE odd SET amount = 1.0 WHERE amount = 1; UPDATE wider SET "c 299" = NULL WHERE id < 11',
    );
    expect(await copy(from, to, "public.odd")).toEqual({ inserted: 0, updated: 1, unchanged: 1 });
    expect(await copy(from, to, "public.wider")).toEqual({ inserted: 0, updated: 10, unchanged: 991 });
    for (const name of ["public.odd", "public.wider"])
      expect(await digests(to, name)).toEqual(await digests(from, name));
  });

  const tree = `
    CREATE TABLE tree (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, parent integer REFERENCES tree, t text, at text);
    CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.at := 'touched'; RETURN NEW; END $$;
    CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON tree FOR EACH ROW EXECUTE FUNCTION touch();
    CREATE TRIGGER quiet BEFORE UPDATE ON tree FOR EACH ROW EXECUTE FUNCTION touch();
    ALTER TABLE tree DISABLE TRIGGER quiet, ENABLE ALWAYS TRIGGER touch;`;
  // Parents come after their children, also across batches.
  const branches = `ALTER TABLE tree DISABLE TRIGGER touch;
    INSERT INTO tree (id, parent, t, at) OVERRIDING SYSTEM VALUE SELECT i, nullif(i + 1, 2501), 'n' || i, 'then' FROM generate_series(1, 2500) AS i`;
  const state = `SELECT (SELECT string_agg(tgname || tgenabled::text, ' ' ORDER BY tgname) FROM pg_trigger
      WHERE tgrelid = 'tree'::regclass AND NOT tgisinternal) AS triggers, c.condeferrable AS deferrable, s.last_value::integer AS last
      FROM pg_constraint c, tree_id_seq s WHERE conrelid = 'tree'::regclass AND contype = 'f'`;

  it("triggers do not change what is written, a table may refer to itself, and the sequence goes on behind it", async () => {
    await using full = await databaseWith(tree + branches);
    await using empty = await databaseWith(tree);
    const [from, to] = [await connect(full.url), await connect(empty.url)];
    expect(await copy(from, to, "tree")).toEqual({ inserted: 2500, updated: 0, unchanged: 0 });
    expect(await digests(to, "tree")).toEqual(await digests(from, "tree"));
    expect(await sql(empty.url, state)).toEqual([
      { triggers: "quietD touchA", deferrable: false, last: 2500 },
    ]);
    // The application goes on: its next row gets a number of its own, and its trigger fires.
    expect(await sql(empty.url, "INSERT INTO tree (t) VALUES ('new') RETURNING id, at")).toEqual([
      { id: 2501, at: "touched" },
    ]);
  });

  it("who does not own the table is told what its triggers did, and nothing was written", async () => {
    await using full = await databaseWith(tree + branches);
    await using empty = await databaseWith(tree);
    const role = `writer_${empty.name}`;
    await sql(empty.url, `CREATE ROLE ${role} LOGIN; GRANT SELECT ON tree TO ${role}`);
    const [from, to] = [await connect(full.url), await connect(empty.url.replace("postgres@", `${role}@`))];
    await expect(copy(from, to, "tree")).rejects.toMatchObject({ code: "STORE_DENIED" });
    await sql(empty.url, `GRANT INSERT, UPDATE ON tree TO ${role}`);
    await sql(full.url, "UPDATE tree SET parent = NULL");
    await expect(copy(from, to, "tree")).rejects.toMatchObject({
      code: "COMPARE_FAILED",
      next: expect.stringContaining("A trigger") as string,
      details: { collection: "public.tree", keys: expect.arrayContaining(["1"]) as string[] },
    });
    expect(await sql(empty.url, "SELECT FROM tree")).toEqual([]);
    await sql(empty.url, `DROP OWNED BY ${role}; DROP ROLE ${role}`);
  });

  it("a unique index over not-null columns tells records apart; a table without one, and what a constraint forbids, is refused in words", async () => {
    const schema = `CREATE TABLE named (a integer NOT NULL, b text NOT NULL, c text, UNIQUE (a, b), UNIQUE (c) DEFERRABLE);
      CREATE TABLE loose (a integer UNIQUE, b text); CREATE TABLE child (id integer PRIMARY KEY, a integer, b text, FOREIGN KEY (a, b) REFERENCES named (a, b));`;
    await using full = await databaseWith(
      `${schema} INSERT INTO named VALUES (1, 'x', 'c'), (1, 'y', 'd'); INSERT INTO loose VALUES (1, 'x'); INSERT INTO child VALUES (1, 1, 'y')`,
    );
    await using other = await databaseWith(
      `${schema} INSERT INTO named VALUES (1, 'x', 'old'), (2, 'mine', 'd')`,
    );
    const [from, to] = [await connect(full.url), await connect(other.url)];
    await expect(copy(from, to, "loose")).rejects.toMatchObject({ code: "STORE_UNSUPPORTED" });
    await expect(copy(from, to, "child")).rejects.toMatchObject({
      code: "STORE_UNSUPPORTED",
      message: expect.stringContaining("child_a_b_fkey") as string,
    });
    await expect(copy(from, to, "named")).rejects.toMatchObject({
      code: "STORE_UNSUPPORTED",
      message: expect.stringContaining("named_c_key") as string,
    });
    expect(await sql(other.url, "SELECT c FROM named ORDER BY c")).toEqual([{ c: "d" }, { c: "old" }]);
    await sql(other.url, "UPDATE named SET c = 'other' WHERE a = 2");
    expect(await copy(from, to, "named")).toEqual({ inserted: 1, updated: 1, unchanged: 0 });
    expect(await copy(from, to, "child")).toEqual({ inserted: 1, updated: 0, unchanged: 0 });
    expect(await sql(other.url, "SELECT a, b, c FROM named ORDER BY a, b")).toEqual([
      { a: 1, b: "x", c: "c" },
      { a: 1, b: "y", c: "d" },
      { a: 2, b: "mine", c: "other" },
    ]);
    async function* one(
      fields: Record<string, unknown>,
    ): AsyncGenerator<{ key: Buffer; fields: typeof fields }> {
      yield { key: Buffer.from("1"), fields };
    }
    for (const fields of [{ a: "1" }, { a: 1, b: "x" }, { a: "1", b: "x", z: "" }, { a: "no", b: "x" }]) {
      await expect(to.write("named", one(fields))).rejects.toMatchObject({ code: "STORE_UNSUPPORTED" });
    }
  });
});
