import { describe, expect, it } from "vitest";
import { engine } from "../../../test/engines/require.ts";
import { compareFacts } from "../../domain/compare-facts.ts";
import type { RestoreOptions } from "../store.ts";
import {
  type TestDatabase,
  createDatabase,
  databaseUrl,
  leftBehind,
  sample,
  sql,
  useBench,
} from "../../../test/postgres/testing.ts";

const inPlace: RestoreOptions = { target: { kind: "in-place" }, force: false };
const postgres16 = await engine("postgres-16");

describe.skipIf(postgres16.missing)("parts and globals", () => {
  const bench = useBench(() => postgres16.start());
  const { connect, dumped, stage } = bench;

  describe("a part of a dump", () => {
    const part: RestoreOptions = { ...inPlace, only: { collections: ["orders"] } };
    async function shop(): Promise<TestDatabase> {
      const database = await createDatabase(bench.server.url);
      await sql(
        database.url,
        `CREATE TYPE state AS ENUM ('new', 'paid');
         CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
         CREATE TABLE customers (id serial PRIMARY KEY, name text);
         CREATE TABLE orders (id serial PRIMARY KEY, number bigint GENERATED ALWAYS AS IDENTITY, state state, customer integer REFERENCES customers, note text);
         CREATE INDEX orders_note ON orders (note);
         CREATE TRIGGER stamp BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION stamp();
         CREATE TABLE others (id serial PRIMARY KEY, state state);
         INSERT INTO customers (name) VALUES ('a'), ('b');
         INSERT INTO orders (state, customer, note) SELECT 'paid', 1, 'n' || i FROM generate_series(1, 20) AS i;
         INSERT INTO others (state) VALUES ('new');
         SELECT lo_from_bytea(0, 'x')`,
      );
      return database;
    }

    it("in place: one table with its sequences, indexes and triggers; the others keep what was written since", async () => {
      await using database = await shop();
      await using store = await connect(database.url);
      const { dump, manifest } = await dumped(store);
      await sql(
        database.url,
        "DELETE FROM orders WHERE id > 2; DROP INDEX orders_note; INSERT INTO customers (name) VALUES ('c'); INSERT INTO orders (note) VALUES ('x')",
      );
      await using restoration = await stage(store, dump.source(manifest), part);
      expect(compareFacts(restoration.expected!, await restoration.facts())).toEqual([]);
      expect(restoration.expected!.map(({ name, records }) => [name, records])).toEqual([
        ["public.orders", 20],
        ["sequences", 2],
      ]);
      await restoration.switch();
      const rows = await sql(
        database.url,
        `SELECT (SELECT count(*)::integer FROM orders) AS orders, (SELECT count(*)::integer FROM customers) AS customers,
                nextval('orders_id_seq')::integer AS next, to_regclass('orders_note') IS NOT NULL AS indexed,
                (SELECT count(*)::integer FROM pg_trigger WHERE tgrelid = 'orders'::regclass AND NOT tgisinternal) AS triggers`,
      );
      expect(rows).toEqual([{ orders: 20, customers: 3, next: 21, indexed: true, triggers: 1 }]);
    });

    it("into a new database: with the types and functions that it needs", async () => {
      await using database = await shop();
      await using store = await connect(database.url);
      const { dump, manifest } = await dumped(store);
      const target = databaseUrl(bench.server.url, `${database.name}_part`);
      await using restoration = await stage(store, dump.source(manifest), {
        ...part,
        target: { kind: "into", target },
      });
      expect(compareFacts(restoration.expected!, await restoration.facts())).toEqual([]);
      await restoration.switch();
      await restoration.keep();
      const rows = await sql(
        target,
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1",
      );
      expect(rows.map(({ relname }) => relname)).toEqual([
        "orders",
        "orders_id_seq",
        "orders_note",
        "orders_number_seq",
        "orders_pkey",
      ]);
    });

    it("a table that the dump does not have is refused", async () => {
      await using database = await shop();
      await using store = await connect(database.url);
      const { dump, manifest } = await dumped(store);
      const options = { ...inPlace, only: { collections: ["nothing"] } };
      await expect(stage(store, dump.source(manifest), options)).rejects.toMatchObject({
        code: "CONFIG_INVALID",
      });
      expect(await leftBehind(bench.server.url)).toEqual([]);
    });
  });

  it("roles come back with the globals", async () => {
    await using database = await sample(bench.server.url);
    await sql(
      database.url,
      `CREATE ROLE traveller PASSWORD 'never in a dump'; ALTER ROLE traveller SET work_mem = '5MB';
       CREATE TABLE theirs (id integer); ALTER TABLE theirs OWNER TO traveller`,
    );
    await using store = await connect(database.url);
    const { dump, manifest } = await dumped(store);
    expect((await dump.contents()).get("globals.sql")!.toString()).not.toMatch(/PASSWORD|never/);
    await sql(database.url, "DROP OWNED BY traveller; DROP ROLE traveller");
    const target = databaseUrl(bench.server.url, `${database.name}_globals`);
    const options: RestoreOptions = { target: { kind: "into", target }, force: false, globals: true };
    await using restoration = await stage(store, dump.source(manifest), options);
    await restoration.switch();
    await restoration.keep();
    expect(await sql(target, "SELECT tableowner FROM pg_tables WHERE tablename = 'theirs'")).toEqual([
      { tableowner: "traveller" },
    ]);
    expect(await sql(target, "SELECT rolconfig FROM pg_roles WHERE rolname = 'traveller'")).toEqual([
      { rolconfig: ["work_mem=5MB"] },
    ]);
    await sql(bench.server.url, `DROP DATABASE "${database.name}_globals"; `);
    await sql(bench.server.url, "DROP ROLE traveller");
  });
});
