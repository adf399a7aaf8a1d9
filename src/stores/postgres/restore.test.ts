/** Restores over databases that are in use, with few rights, that fail half-way, and drills. */
import { readdir } from "node:fs/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { run } from "../../../test/engines/command.ts";
import { postgresPrograms } from "../../../test/engines/postgres/index.ts";
import { engine } from "../../../test/engines/require.ts";
import { compareFacts } from "../../domain/compare-facts.ts";
import type { RestoreOptions } from "../store.ts";
import {
  type TestDatabase,
  clientFor,
  connectTo,
  corpusSql,
  createDatabase,
  databaseUrl,
  leftBehind,
  sql,
  countMemories,
  sample,
  useBench,
} from "../../../test/postgres/testing.ts";

const inPlace: RestoreOptions = { target: { kind: "in-place" }, force: false };
const forced: RestoreOptions = { ...inPlace, force: true };

const postgres16 = await engine("postgres-16");
describe.skipIf(postgres16.missing)("restore", () => {
  const bench = useBench(() => postgres16.start());
  const { connect, dumped, stage } = bench;
  beforeAll(async () => void (await sql(bench.server.url, await corpusSql("roles"))));

  it("over a database that is in use: refused; with force its programs are disconnected and its properties stay", async () => {
    await using database = await sample(bench.server.url);
    await using store = await connect(database.url);
    const { dump, manifest } = await dumped(store);
    await sql(
      database.url,
      `ALTER DATABASE "${database.name}" SET work_mem = '9MB'; COMMENT ON DATABASE "${database.name}" IS 'mine';
       GRANT CREATE ON DATABASE "${database.name}" TO corpus_reader; DELETE FROM memories`,
    );
    const program = clientFor(database.url);
    program.on("error", () => undefined);
    await program.connect();
    const source = dump.source(manifest);
    const plan = await store.planRestore(source, inPlace);
    expect(plan.obstacles).toEqual([
      { text: expect.stringMatching(/^1 connected: /) as string, overridable: true },
    ]);
    expect(plan.changes).toContainEqual({ collection: "public.memories", recordsNow: 0, recordsThen: 202 });
    expect(plan.actions.join("\n")).toContain("only there");
    await expect(store.stage(plan, source, inPlace)).rejects.toMatchObject({ code: "TARGET_IN_USE" });
    let undo: string;
    {
      await using restoration = await stage(store, source, forced);
      // It is written while the restore runs: what is new stays in the old database.
      await program.query("INSERT INTO memories (content) VALUES ('written meanwhile')");
      expect(compareFacts(manifest.collections, await restoration.facts())).toEqual([]);
      const { previous, warnings } = await restoration.switch();
      await restoration.keep();
      expect(warnings).toEqual([]);
      undo = previous!.undo;
      const kept = /the database (.*)$/.exec(previous!.location)![1]!;
      expect(await countMemories(databaseUrl(bench.server.url, kept))).toBe(1);
    }
    await expect(program.query("SELECT 1")).rejects.toThrow();
    expect(await countMemories(database.url)).toBe(202);
    const [row] = await sql(
      database.url,
      `SELECT current_setting('work_mem') AS mem, shobj_description(oid, 'pg_database') AS comment,
              has_database_privilege('corpus_reader', oid, 'CREATE') AS granted, datallowconn AS open
         FROM pg_database WHERE datname = current_database()`,
    );
    expect(row).toEqual({ mem: "9MB", comment: "mine", granted: true, open: true });
    expect(await leftBehind(bench.server.url)).toEqual([]);
    // The printed command brings the old one back.
    await run("sh", ["-c", undo], { env: { PATH: `${await postgresPrograms(16)}:/usr/bin:/bin` } });
    expect(await countMemories(database.url)).toBe(1);
  });

  it("the next successful restore drops the database that the one before kept, and no other", async () => {
    await using database = await sample(bench.server.url);
    await using bystander = await createDatabase(bench.server.url, `${database.name}x_before_20260101000000`);
    await using store = await connect(database.url);
    const { dump, manifest } = await dumped(store);
    const kept: string[] = [];
    for (let round = 0; round < 2; round++) {
      await using restoration = await stage(store, dump.source(manifest), inPlace);
      await restoration.facts();
      kept.push((await restoration.switch()).previous!.location.replace("the database ", ""));
      // Names hold the second.
      if (round === 0)
        await sql(bench.server.url, `ALTER DATABASE "${kept[0]}" RENAME TO "${kept[0]}_first"`);
      await restoration.keep();
    }
    const names = (await sql(bench.server.url, "SELECT datname FROM pg_database")).map(
      ({ datname }) => datname,
    );
    expect(names).toContain(kept[1]);
    expect(names).not.toContain(`${kept[0]}_first`);
    expect(names).toContain(bystander.name);
  });

  it("a swap that fails leaves the database open and as it was", async () => {
    await using database = await sample(bench.server.url);
    await using store = await connect(database.url);
    const { dump, manifest } = await dumped(store);
    {
      await using restoration = await stage(store, dump.source(manifest), inPlace);
      const scratch = (
        await sql(bench.server.url, "SELECT datname FROM pg_database WHERE datname LIKE 'memkeep_scratch%'")
      )[0]!;
      // Somebody takes the scratch database away under it.
      await sql(
        bench.server.url,
        `ALTER DATABASE "${String(scratch["datname"])}" RENAME TO ${database.name}_gone`,
      );
      await expect(restoration.switch()).rejects.toThrow();
    }
    expect(await countMemories(database.url)).toBe(202);
  });

  it("W-M7, W-M15: a dump that lost a row does not get into place", async () => {
    await using database = await sample(bench.server.url);
    await using store = await connect(database.url);
    const { dump, manifest } = await dumped(store);
    await using restoration = await stage(store, dump.source(manifest), inPlace);
    const scratch = (
      await sql(bench.server.url, "SELECT datname FROM pg_database WHERE datname LIKE 'memkeep_scratch%'")
    )[0]!;
    await sql(databaseUrl(bench.server.url, String(scratch["datname"])), "DELETE FROM memories WHERE id = 7");
    expect(compareFacts(manifest.collections, await restoration.facts())).toEqual([
      "public.memories has 201 records, the manifest says 202",
    ]);
  });

  it("the plan names missing extensions, roles and rights", async () => {
    await using database = await sample(bench.server.url);
    await sql(
      database.url,
      "CREATE ROLE passing; CREATE TABLE theirs (id integer); ALTER TABLE theirs OWNER TO passing",
    );
    await using store = await connect(database.url);
    const { dump, manifest } = await dumped(store);
    await sql(database.url, "DROP OWNED BY passing; DROP ROLE passing");
    const settings = manifest.settings;
    const source = dump.source(manifest, {
      settings: { ...settings, extensions: { vector: "99.1", missing_extension: "1" } },
    });
    const { obstacles } = await store.planRestore(source, { target: { kind: "scratch" }, force: false });
    const texts = obstacles.map(({ text, overridable }) => `${overridable ? "may" : "must"} ${text}`);
    expect(texts).toEqual([
      expect.stringMatching(/^must the server has vector 0\.\d.*, older than the dump's 99\.1$/),
      "must the server does not have the extension missing_extension (1 in the dump)",
      expect.stringMatching(/^may the server lacks the roles passing; with --force/),
    ]);
    // With force the objects belong to who restores.
    const drill: RestoreOptions = { target: { kind: "scratch" }, force: true };
    await using restoration = await stage(store, dump.source(manifest), drill);
    expect(compareFacts(manifest.collections, await restoration.facts())).toEqual([]);
  });

  describe("without the right to create databases", () => {
    async function limited(database: TestDatabase): Promise<{ url: string; drop(): Promise<void> }> {
      const role = `role_${database.name}`;
      await sql(
        database.url,
        `CREATE ROLE ${role} LOGIN; ALTER SCHEMA public OWNER TO ${role};
         DO $$ DECLARE r record; BEGIN
           FOR r IN SELECT oid::regclass AS c FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') LOOP
             EXECUTE format('ALTER TABLE %s OWNER TO ${role}', r.c); END LOOP;
           FOR r IN SELECT oid FROM pg_largeobject_metadata LOOP EXECUTE format('ALTER LARGE OBJECT %s OWNER TO ${role}', r.oid); END LOOP;
         END $$`,
      );
      return {
        url: database.url.replace("postgres@", `${role}@`),
        drop: async () =>
          void (await sql(
            database.url,
            `REASSIGN OWNED BY ${role} TO postgres; DROP OWNED BY ${role}; DROP ROLE ${role}`,
          )),
      };
    }

    it("everything happens in one transaction, compared before it is committed", async () => {
      await using database = await sample(bench.server.url);
      const role = await limited(database);
      await using store = await connect(role.url);
      const { dump, manifest } = await dumped(store);
      await sql(
        database.url,
        "DELETE FROM memories WHERE id > 3; CREATE TABLE newer (id integer); SELECT lo_unlink(4000000001)",
      );
      const source = dump.source(manifest);
      const plan = await store.planRestore(source, inPlace);
      expect(plan.obstacles).toEqual([]);
      expect(plan.actions.join("\n")).toMatch(/in one transaction/);
      {
        await using restoration = await store.stage(plan, source, inPlace);
        expect(compareFacts(manifest.collections, await restoration.facts())).toEqual([]);
        await restoration.rollBack();
      }
      expect(await countMemories(database.url)).toBe(3);
      await using restoration = await stage(store, source, inPlace);
      expect(compareFacts(manifest.collections, await restoration.facts())).toEqual([]);
      await restoration.switch();
      await restoration.keep();
      expect(await countMemories(database.url)).toBe(202);
      expect(await sql(database.url, "SELECT 1 FROM pg_class WHERE relname = 'newer'")).toHaveLength(1);
      expect(await leftBehind(bench.server.url)).toEqual([]);
      await role.drop();
    });

    it("W-C6, W-M2: a statement that fails leaves everything as it was", async () => {
      await using database = await sample(bench.server.url);
      const role = await limited(database);
      await using store = await connect(role.url);
      const { dump, manifest } = await dumped(store);
      // A view on a table that is to be dropped: it is not in the dump.
      await sql(
        database.url,
        "DELETE FROM memories WHERE id > 3; CREATE VIEW on_top AS SELECT id FROM memories",
      );
      await expect(stage(store, dump.source(manifest), inPlace)).rejects.toMatchObject({
        code: "TOOL_FAILED",
        message: expect.stringContaining("other objects depend on them") as string,
      });
      expect(await countMemories(database.url)).toBe(3);
      expect(await leftBehind(bench.server.url)).toEqual([]);
      await role.drop();
    });
  });

  it("in parallel from a spool file, and as told while indexes are built", async () => {
    await using database = await sample(bench.server.url);
    const context = bench.spool.context();
    await using store = await connectTo(database.url, 16, context, {
      restoreJobs: 2,
      indexMemory: "64MB",
      indexWorkers: 0,
    });
    const { dump, manifest } = await dumped(store);
    const drill: RestoreOptions = { target: { kind: "scratch" }, force: false };
    await using restoration = await stage(store, dump.source(manifest), drill);
    expect(compareFacts(manifest.collections, await restoration.facts())).toEqual([]);
    expect((await readdir(bench.spool.folder)).filter((name) => name.startsWith("memory-"))).toEqual([]);
  });
});
