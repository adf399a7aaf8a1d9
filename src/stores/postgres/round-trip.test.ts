import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../../../test/engines/command.ts";
import { type PostgresMajor, postgresPrograms } from "../../../test/engines/postgres/index.ts";
import { engine } from "../../../test/engines/require.ts";
import type { Server } from "../../../test/engines/server.ts";
import { type TakenDump, takeDump } from "../contract/dump-folder.ts";
import type { Store } from "../store.ts";
import { schema } from "./config.ts";
import { connectPostgres } from "./index.ts";
import {
  type Spool,
  corpusSql,
  createDatabase,
  databaseUrl,
  openSpool,
  sql,
} from "../../../test/postgres/testing.ts";

const majors = [15, 16, 18] as const;
const engines = {
  15: await engine("postgres-15"),
  16: await engine("postgres-16"),
  18: await engine("postgres-18"),
};
const missing = majors.map((major) => engines[major].missing).find((reason) => reason !== undefined);

describe.skipIf(missing)("round trips over versions", () => {
  const servers = new Map<PostgresMajor, Server>();
  const tools = new Map<PostgresMajor, string>();
  let spool: Spool;
  let dumps = 0;

  beforeAll(async () => {
    spool = await openSpool();
    for (const major of majors) {
      servers.set(major, await engines[major].start());
      tools.set(major, await postgresPrograms(major));
      await sql(servers.get(major)!.url, await corpusSql("roles"));
    }
  });
  afterAll(async () => {
    for (const server of servers.values()) await server.stop();
    await spool[Symbol.asyncDispose]();
  });

  function connect(url: string, withTools: readonly PostgresMajor[] = majors): Store {
    const folders = withTools.map((major) => tools.get(major)!);
    return connectPostgres(schema.parse({ url, tools: folders, retryAttempts: 1 }), spool.context(), {
      PATH: "/nowhere",
    });
  }
  async function dumped(store: Store): Promise<TakenDump> {
    return takeDump(store, join(spool.folder, `dump-${++dumps}`, store.name));
  }
  async function restoreInto(store: Store, { dump, manifest }: TakenDump, target: string): Promise<void> {
    const source = dump.source(manifest);
    const options = { target: { kind: "into", target }, force: false } as const;
    const plan = await store.planRestore(source, options);
    expect(plan.obstacles).toEqual([]);
    await using restoration = await store.stage(plan, source, options);
    expect(await restoration.facts()).toEqual(expect.arrayContaining([...manifest.collections]));
    expect(await restoration.facts()).toHaveLength(manifest.collections.length);
    await restoration.switch();
    await restoration.keep();
  }
  /** All definitions, as the newest pg_dump writes them. */
  async function catalogue(url: string): Promise<string[]> {
    const text = await run(join(tools.get(18)!, "pg_dump"), ["--schema-only", "--restrict-key=x", url]);
    const lines = text
      // PostgreSQL 16 and later write a view's columns without their only table's name.
      .replaceAll("numbers.f8", "f8")
      .replaceAll("numbers.id", "id")
      // PostgreSQL 18 names what was not named before; it cuts a long name at another place than it expects.
      .replaceAll(/CONSTRAINT "🐘+_id_not_null" NOT NULL/gu, "NOT NULL")
      .split("\n");
    return lines.filter((line) => !line.startsWith("--"));
  }

  it("15 → 16 → 18: every type, every object, equal catalogue, equal digests", async () => {
    await using first = await createDatabase(servers.get(15)!.url);
    for (const name of ["types", "objects"]) await sql(first.url, await corpusSql(name));
    await sql(
      first.url,
      `COMMENT ON DATABASE "${first.name}" IS 'the corpus'; ALTER DATABASE "${first.name}" SET work_mem = '7MB';
       ALTER DATABASE "${first.name}" SET search_path TO "$user", 'Other Schema', public;
       ALTER ROLE corpus_reader IN DATABASE "${first.name}" SET DateStyle TO 'German';
       GRANT CREATE ON DATABASE "${first.name}" TO corpus_reader WITH GRANT OPTION`,
    );
    let url = first.url;
    let taken = await dumped(connect(url));
    const settings = taken.manifest.settings["properties"];
    const definitions = await catalogue(url);
    const facts = taken.manifest.collections;
    expect(facts).toHaveLength(30);
    for (const major of [16, 18] as const) {
      const target = databaseUrl(servers.get(major)!.url, `corpus_${major}`);
      await restoreInto(connect(url), taken, target);
      url = target;
      taken = await dumped(connect(url));
      expect(new Map(taken.manifest.collections.map((c) => [c.name, c]))).toEqual(
        new Map(facts.map((c) => [c.name, c])),
      );
      expect(taken.manifest.settings["properties"]).toEqual(settings);
      expect((await catalogue(url)).toSorted()).toEqual(definitions.toSorted());
    }
  });

  it("vectors, 16 → 18", async () => {
    await using first = await createDatabase(servers.get(16)!.url);
    await sql(first.url, await corpusSql("vectors"));
    const taken = await dumped(connect(first.url));
    const target = databaseUrl(servers.get(18)!.url, "vectors_18");
    await restoreInto(connect(first.url), taken, target);
    expect((await catalogue(target)).toSorted()).toEqual((await catalogue(first.url)).toSorted());
  });

  it("XML, on a server that has it", async () => {
    await using first = await createDatabase(servers.get(15)!.url);
    await sql(first.url, await corpusSql("xml"));
    await restoreInto(
      connect(first.url),
      await dumped(connect(first.url)),
      databaseUrl(servers.get(15)!.url, "xml_15"),
    );
  });

  it("client programs newer than the server: dump and restore of 15 with those of 18", async () => {
    await using first = await createDatabase(servers.get(15)!.url);
    for (const name of ["types", "objects"]) await sql(first.url, await corpusSql(name));
    const store = connect(first.url, [18]);
    const taken = await dumped(store);
    await restoreInto(store, taken, databaseUrl(servers.get(15)!.url, "newer_tools"));
    // The same text for every value, whichever pg_dump wrote it.
    expect((await dumped(connect(first.url, [15]))).manifest.collections).toEqual(taken.manifest.collections);
  });

  it("W-C13: client programs older than the server are refused before anything starts", async () => {
    await using store = connect(servers.get(18)!.url, [15, 16]);
    const refused = await store.open().catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "TOOL_MISSING" });
    expect(String(refused)).toMatch(/PostgreSQL 18\.\d.*found .*15\.\d+.*16\.\d+/);
    expect(refused).toMatchObject({ next: expect.stringContaining("postgresql-client-18") as string });
  });

  it("without memkeep: pg_restore and psql of the same major bring the archive back", async () => {
    await using first = await createDatabase(servers.get(16)!.url);
    for (const name of ["types", "objects"]) await sql(first.url, await corpusSql(name));
    const taken = await dumped(connect(first.url));
    await using second = await createDatabase(servers.get(16)!.url);
    const env = { PGOPTIONS: "-c lc_monetary=C" };
    const archive = join(taken.dump.folder, "database.dump");
    await run(join(tools.get(16)!, "pg_restore"), ["--exit-on-error", `--dbname=${second.url}`, archive], {
      env,
    });
    expect((await dumped(connect(second.url))).manifest.collections).toEqual(taken.manifest.collections);
  });
});
