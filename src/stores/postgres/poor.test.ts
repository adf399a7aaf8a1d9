/** A role that may do almost nothing, and a server with too little room: what is printed is enough to go on. */
import { hash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { engine } from "../../../test/engines/require.ts";
import type { DumpSource, RestoreOptions } from "../store.ts";
import { tablesFile } from "./dump-files.ts";
import { formatTables, parseTables } from "./tables-file.ts";
import { connectTo, createDatabase, leftBehind, sql, useBench } from "../../../test/postgres/testing.ts";

const postgres16 = await engine("postgres-16");
describe.skipIf(postgres16.missing)("with few rights and little room", () => {
  const bench = useBench(() => postgres16.start());
  const { connect, dumped } = bench;

  it("every way to restore is refused before anything is touched, and says which right is missing", async () => {
    await using database = await createDatabase(bench.server.url);
    await sql(database.url, "CREATE TABLE t (id integer PRIMARY KEY, x text); INSERT INTO t VALUES (1, 'a')");
    const { dump, manifest } = await dumped(await connect(database.url));
    const source = dump.source(manifest);
    const role = `poor_${database.name}`;
    await sql(database.url, `CREATE ROLE ${role} LOGIN; GRANT SELECT ON t TO ${role}`);
    await using store = await connect(database.url.replace("postgres@", `${role}@`));
    const texts = async (options: Partial<RestoreOptions>): Promise<string> => {
      const plan = await store.planRestore(source, {
        target: { kind: "in-place" },
        force: false,
        ...options,
      });
      return plan.obstacles.map(({ text }) => text).join("; ");
    };
    const copy = `${database.url.replace("postgres@", `${role}@`)}_copy`;
    expect(await texts({ target: { kind: "into", target: copy } })).toContain(
      "the role may not create databases (CREATEDB)",
    );
    expect(await texts({ target: { kind: "scratch" } })).toContain("CREATEDB");
    expect(await texts({ mode: "merge" })).toContain("GRANT SELECT, INSERT, UPDATE");
    // In one transaction: PostgreSQL itself says what may not be dropped.
    const inPlace: RestoreOptions = { target: { kind: "in-place" }, force: true };
    const failed = await store
      .stage(await store.planRestore(source, inPlace), source, inPlace)
      .catch((error: unknown) => error);
    expect(String(failed)).toContain("must be owner of table t");
    expect(await sql(database.url, "SELECT * FROM t")).toEqual([{ id: 1, x: "a" }]);
    expect(await leftBehind(bench.server.url)).toEqual([]);
    await sql(database.url, `DROP OWNED BY ${role}; DROP ROLE ${role}`);
  });

  it("too little room for a database beside is in the plan, with both sizes", async () => {
    await using database = await createDatabase(bench.server.url);
    await sql(database.url, "CREATE TABLE t (id integer PRIMARY KEY); INSERT INTO t VALUES (1)");
    const { dump, manifest } = await dumped(await connect(database.url));
    const whole = dump.source(manifest);
    const big = await withSize(whole, 1e15);
    await using store = await connectTo(database.url, 16, bench.spool.context(), { scratchLimit: "1GiB" });
    const { obstacles } = await store.planRestore(big, { target: { kind: "in-place" }, force: true });
    expect(obstacles).toMatchObject([
      {
        overridable: false,
        text: expect.stringMatching(/needs about .*, and the server's disk has .* free/) as string,
      },
    ]);
  });
});

/** The same dump of a database that was larger. */
async function withSize(source: DumpSource, databaseBytes: number): Promise<DumpSource> {
  const file = parseTables(Buffer.concat(await Array.fromAsync(source.read(tablesFile))));
  const bytes = formatTables({ ...file, databaseBytes });
  const files = source.manifest.files.map((one) =>
    one.path.endsWith(`/${tablesFile}`)
      ? { ...one, sizeBytes: bytes.length, sha256: hash("sha256", bytes) }
      : one,
  );
  return {
    manifest: { ...source.manifest, files },
    async *read(name, range) {
      if (name === tablesFile) yield bytes;
      else yield* source.read(name, range);
    },
  };
}
