import { describe, expect, it } from "vitest";
import { engine } from "../../../test/engines/require.ts";
import type { MemkeepError } from "../../domain/errors.ts";
import { createDatabase, databaseUrl, sample, sql, useBench } from "../../../test/postgres/testing.ts";

const postgres16 = await engine("postgres-16");

describe.skipIf(postgres16.missing)("what doctor says of a database", () => {
  const bench = useBench(() => postgres16.start());

  it("28: the statements that are printed give the role what it lacks, and no more", async () => {
    await using database = await sample(bench.server.url);
    const role = `poor ${database.name}`;
    await sql(database.url, `CREATE ROLE "${role}" LOGIN`);
    const url = new URL(database.url);
    url.username = encodeURIComponent(role);
    await using store = await bench.connect(url.href);
    const privileges = async (): Promise<{ status: string; text: string }> =>
      (await store.probe()).find(({ name }) => name === "privileges")!;
    const statements = async (): Promise<string> => (await privileges()).text.replace(/^.*?: (?=GRANT)/s, "");
    const first = await statements();
    expect(first).toContain("GRANT pg_read_all_data");
    expect(first).toContain("LARGE OBJECT");
    expect(first).not.toContain("BYPASSRLS");
    await sql(database.url, first);
    expect(await privileges()).toMatchObject({ status: "ok" });
    await sql(database.url, "ALTER TABLE memories ENABLE ROW LEVEL SECURITY");
    const second = await statements();
    expect(second).toContain("BYPASSRLS");
    expect(second).not.toContain("pg_read_all_data");
    await sql(database.url, second);
    expect(await privileges()).toMatchObject({ status: "ok" });
    await sql(database.url, `DROP OWNED BY "${role}"; DROP ROLE "${role}"`);
  });

  it("a role that is not there at all: the statements that create it are enough for a backup of its tables", async () => {
    await using database = await createDatabase(bench.server.url);
    await sql(database.url, "CREATE TABLE t (id integer PRIMARY KEY); INSERT INTO t VALUES (1)");
    const url = new URL(database.url);
    url.username = encodeURIComponent(`ba"ck ${database.name}`);
    await using store = await bench.connect(url.href);
    const refused = await store.describe().catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "STORE_DENIED" });
    const { next } = refused as MemkeepError;
    const statements = /^As a superuser: (CREATE ROLE .*); then \\password "/.exec(next!)![1]!;
    await sql(bench.server.url, statements);
    const { manifest } = await bench.dumped(store);
    expect(manifest.collections[0]?.records).toBe(1);
    const role = `"ba""ck ${database.name}"`;
    await sql(database.url, `DROP OWNED BY ${role}; DROP ROLE ${role}`);
  });

  it("names the statement that drops what a killed restore left", async () => {
    await using database = await sample(bench.server.url);
    const left = `${database.name}_left`;
    await sql(bench.server.url, `CREATE DATABASE ${left}`);
    await sql(bench.server.url, `ALTER DATABASE ${left} SET memkeep.scratch TO 'a run'`);
    await using store = await bench.connect(databaseUrl(bench.server.url, database.name));
    const { text } = (await store.probe()).find(({ name }) => name === "scratch databases")!;
    expect(text).toContain(`DROP DATABASE "${left}";`);
  });
});
