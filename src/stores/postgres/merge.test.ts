/** Merging a dump into a database that programs go on using. */
import { describe, expect, it } from "vitest";
import { engine } from "../../../test/engines/require.ts";
import { compareFacts } from "../../domain/compare-facts.ts";
import type { DumpSource, RestoreOptions } from "../store.ts";
import {
  type TestDatabase,
  clientFor,
  createDatabase,
  leftBehind,
  sample,
  sql,
  useBench,
} from "../../../test/postgres/testing.ts";

const merge: RestoreOptions = { target: { kind: "in-place" }, force: false, mode: "merge" };

const postgres16 = await engine("postgres-16");
describe.skipIf(postgres16.missing)("merging", () => {
  const bench = useBench(() => postgres16.start());
  const { connect, dumped, stage } = bench;

  /** Names sort children before their parents; owner and team refer to each other; a trigger stamps. */
  async function team(): Promise<TestDatabase> {
    const database = await createDatabase(bench.server.url);
    await sql(
      database.url,
      `CREATE TABLE z_owner (id serial PRIMARY KEY, name text UNIQUE NOT NULL, stamp text);
       CREATE TABLE a_note (id uuid PRIMARY KEY, owner integer NOT NULL REFERENCES z_owner, t text);
       CREATE TABLE team (code text NOT NULL UNIQUE, lead integer REFERENCES z_owner, more jsonb);
       ALTER TABLE z_owner ADD team text REFERENCES team (code);
       CREATE TABLE log (t text);
       CREATE SEQUENCE free; SELECT setval('free', 70);
       CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.stamp := 'stamped'; RETURN NEW; END $$;
       INSERT INTO z_owner (name) SELECT 'n' || i FROM generate_series(1, 1200) AS i;
       INSERT INTO team SELECT 't' || i, i, '{"n": 1.0}' FROM generate_series(1, 30) AS i;
       UPDATE z_owner SET team = 't1' WHERE id % 2 = 0;
       INSERT INTO a_note SELECT md5(i::text)::uuid, i, E'tab\\t\\\\ ' || i FROM generate_series(1, 1200) AS i;
       CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON z_owner FOR EACH ROW EXECUTE FUNCTION stamp();`,
    );
    return database;
  }
  const harm = `DELETE FROM a_note WHERE owner > 1100; UPDATE team SET lead = NULL WHERE lead > 1100 OR code = 't5';
    UPDATE z_owner SET team = NULL WHERE team IS NOT NULL; DELETE FROM team WHERE code <> 't5'; DELETE FROM z_owner WHERE id > 1100;
    INSERT INTO z_owner (id, name) VALUES (5000, 'only here'); SELECT setval('z_owner_id_seq', 3), setval('free', 7);`;

  it("brings back what is missing or differs while a program holds the database, and deletes nothing", async () => {
    await using database = await team();
    await using store = await connect(database.url);
    const { dump, manifest } = await dumped(store);
    const source = dump.source(manifest);
    await sql(database.url, harm);
    const program = clientFor(database.url);
    program.on("error", () => undefined);
    await program.connect();
    const plan = await store.planRestore(source, merge);
    expect(plan.obstacles).toEqual([]);
    expect(plan.actions).toContain(
      "public.team: insert 29, update 1, leave 0 equal rows, and 0 that only it has",
    );
    expect(plan.actions).toContain(
      "public.z_owner: insert 100, update 550, leave 550 equal rows, and 1 that only it has",
    );
    expect(plan.changes).toContainEqual({
      collection: "public.z_owner",
      recordsNow: 1101,
      recordsThen: 1201,
    });
    {
      await using restoration = await store.stage(plan, source, merge);
      expect(compareFacts(restoration.expected!, await restoration.facts())).toEqual([]);
      // Nobody sees it yet, and readers go on.
      expect((await program.query("SELECT count(*)::integer AS n FROM z_owner")).rows).toEqual([{ n: 1101 }]);
      await restoration.rollBack();
    }
    expect((await program.query("SELECT count(*)::integer AS n FROM z_owner")).rows).toEqual([{ n: 1101 }]);
    {
      await using restoration = await stage(store, source, merge);
      expect(compareFacts(manifest.collections, await restoration.facts())).toEqual([]);
      expect((await restoration.switch()).warnings).toEqual([]);
      await restoration.keep();
    }
    const { rows } = await program.query(
      `SELECT count(*)::integer AS n, count(stamp)::integer AS stamped, max(id) AS most,
              (SELECT last_value FROM free)::integer AS free FROM z_owner`,
    );
    expect(rows).toEqual([{ n: 1201, stamped: 1, most: 5000, free: 70 }]);
    expect(
      (await program.query("INSERT INTO z_owner (name) VALUES ('later') RETURNING id, stamp")).rows,
    ).toEqual([{ id: 5001, stamp: "stamped" }]);
    await program.end();
    const again = await store.planRestore(source, merge);
    expect(again.actions[0]).toBe("change nothing: every row of the dump is there");
    expect(await leftBehind(bench.server.url)).toEqual([]);
  });

  it("what a row of the dump breaks, and a damaged dump, leave everything as it was", async () => {
    await using database = await team();
    await using store = await connect(database.url);
    const { dump, manifest } = await dumped(store);
    const source = dump.source(manifest);
    await sql(database.url, `${harm} INSERT INTO z_owner (id, name) VALUES (5001, 'n1150')`);
    const count = "SELECT count(*)::integer AS n FROM z_owner";
    await expect(stage(store, source, merge)).rejects.toMatchObject({
      code: "STORE_UNSUPPORTED",
      message: expect.stringContaining("z_owner_name_key") as string,
    });
    expect(await sql(database.url, count)).toEqual([{ n: 1102 }]);
    await sql(database.url, "DELETE FROM z_owner WHERE id = 5001");
    const plan = await store.planRestore(source, merge);
    const damaged: DumpSource = {
      manifest,
      async *read(name, range) {
        for await (const chunk of source.read(name, range)) {
          // Still rows of this table, only with another text.
          yield Buffer.from(chunk.toString("latin1").replace("\tn700\t", "\tm700\t"), "latin1");
        }
      },
    };
    await expect(store.stage(plan, damaged, merge)).rejects.toMatchObject({ code: "DUMP_DAMAGED" });
    expect(await sql(database.url, count)).toEqual([{ n: 1101 }]);
    expect(await leftBehind(bench.server.url)).toEqual([]);
  });

  it("rows without a key and large objects are refused by name; chosen tables are merged; rights and columns that are missing stand in the plan", async () => {
    await using database = await sample(bench.server.url);
    await using store = await connect(database.url);
    const { dump, manifest } = await dumped(store);
    const source = dump.source(manifest);
    await expect(store.planRestore(source, merge)).rejects.toMatchObject({
      code: "STORE_UNSUPPORTED",
      message: expect.stringContaining("large objects") as string,
    });
    const some = (...collections: string[]): RestoreOptions => ({ ...merge, only: { collections } });
    await expect(store.planRestore(source, some("public.memories", "public.no_key"))).rejects.toMatchObject({
      code: "STORE_UNSUPPORTED",
      details: { tables: ["public.no_key"] },
    });
    await expect(store.planRestore(source, { ...merge, globals: true })).rejects.toMatchObject({
      code: "USAGE",
    });
    await sql(
      database.url,
      "DELETE FROM memories WHERE id > 150; UPDATE memories SET embedding = NULL WHERE id < 4; TRUNCATE events, one_key",
    );
    const options = some("public.memories", "public.events_new", "public.one_key");
    await using restoration = await stage(store, source, options);
    expect(compareFacts(restoration.expected!, await restoration.facts())).toEqual([]);
    await restoration.switch();
    const [facts] = (await dumped(store)).manifest.collections.filter(
      ({ name }) => name === "public.memories",
    );
    expect(facts).toEqual(manifest.collections.find(({ name }) => name === "public.memories"));
    await sql(database.url, "ALTER TABLE memories DROP COLUMN score; DROP TABLE one_key");
    const role = `reader_${database.name}`;
    await sql(database.url, `CREATE ROLE ${role} LOGIN; GRANT pg_read_all_data TO ${role}`);
    await using limited = await connect(database.url.replace("postgres@", `${role}@`));
    expect((await limited.planRestore(source, options)).obstacles.map(({ text }) => text)).toEqual([
      "the database has no table public.one_key: restore it first, with --table public.one_key",
      "the table public.memories has no column score, or a generated one",
      "the role may not read, insert into and update public.events_new (GRANT SELECT, INSERT, UPDATE)",
      "the role may not read, insert into and update public.memories (GRANT SELECT, INSERT, UPDATE)",
    ]);
    await sql(database.url, `DROP OWNED BY ${role}; DROP ROLE ${role}`);
  });
});
