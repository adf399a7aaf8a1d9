/** How PostgreSQL dumps lose data or leave something behind, each tried on the real server. */
import { readFile, readdir } from "node:fs/promises";
import type pg from "pg";
import { describe, expect, it } from "vitest";
import { engine } from "../../../test/engines/require.ts";
import { isMemkeepError } from "../../domain/errors.ts";
import {
  type TestDatabase,
  clientFor,
  connectTo,
  createDatabase,
  databaseUrl,
  leftBehind,
  recordingObserver,
  sql,
  useBench,
} from "../../../test/postgres/testing.ts";

const isNightly = process.env["MEMKEEP_NIGHTLY"] !== undefined;
const postgres16 = await engine("postgres-16");
describe.skipIf(postgres16.missing)("traps", () => {
  const bench = useBench(() => postgres16.start({ settings: { max_locks_per_transaction: "256" } }));
  const { connect, dumped, sink } = bench;

  async function sample(): Promise<TestDatabase> {
    const database = await createDatabase(bench.server.url);
    await sql(
      database.url,
      "CREATE TABLE a (id integer PRIMARY KEY, t text); INSERT INTO a SELECT i, 'x' FROM generate_series(1, 500) AS i; CREATE TABLE b (id integer)",
    );
    return database;
  }
  async function session(url: string): Promise<pg.Client & AsyncDisposable> {
    const client = clientFor(url);
    client.on("error", () => undefined);
    await client.connect();
    return Object.assign(client, {
      [Symbol.asyncDispose]: () => client.end().catch(() => undefined),
    });
  }
  /** Resolves when a session waits for a lock. */
  async function untilWaiting(url: string, pattern: string): Promise<void> {
    for (;;) {
      const rows = await sql(
        url,
        `SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '${pattern}' AND pid <> pg_backend_pid()`,
      );
      if (rows.length > 0) return;
    }
  }

  it.each(["TRUNCATE a", "ALTER TABLE a ALTER COLUMN id TYPE bigint", "DROP TABLE a"])(
    "%s between open and dump waits, and the dump has every row",
    async (statement) => {
      await using database = await sample();
      await using store = await connect(database.url);
      await using changer = await session(database.url);
      let changing: Promise<unknown>;
      {
        await using view = await store.open();
        changing = changer.query(statement);
        await untilWaiting(database.url, statement.replace("%", ""));
        const facts = await view.dump(sink());
        expect(facts.collections.find(({ name }) => name === "public.a")?.records).toBe(500);
      }
      await changing;
    },
  );

  it("a table that is rewritten while the view waits for its lock makes it start over", async () => {
    await using database = await sample();
    await using store = await connect(database.url);
    await using changer = await session(database.url);
    await changer.query(
      "BEGIN; TRUNCATE a; INSERT INTO a VALUES (1, 'new'); CREATE TABLE later AS SELECT 1 AS x",
    );
    const opening = store.open();
    await untilWaiting(database.url, "LOCK TABLE%");
    await changer.query("COMMIT");
    await using view = await opening;
    const facts = await view.dump(sink());
    const records = new Map(facts.collections.map((collection) => [collection.name, collection.records]));
    expect(records.get("public.a")).toBe(1);
    expect(records.get("public.later")).toBe(1);
  });

  it("a lock that is never released ends in an error with the process and its query", async () => {
    await using database = await sample();
    await using store = await connectTo(database.url, 16, bench.spool.context(), { lockTimeout: "300ms" });
    await using blocker = await session(database.url);
    await blocker.query("BEGIN; LOCK TABLE b IN ACCESS EXCLUSIVE MODE; SELECT 'the blocker''s query'");
    const failed = await store.open().catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: "STORE_BUSY" });
    expect(String(failed)).toContain("the blocker''s query");
    expect(String(failed)).toMatch(/process \d+ holds public\.b/);
    await blocker.end();
    expect(await leftBehind(bench.server.url)).toEqual([]);
  });

  it("rows that a policy hides are an error that names the table, and so are tables that may not be read", async () => {
    await using database = await sample();
    await sql(
      database.url,
      `CREATE ROLE limited_${database.name} LOGIN; ALTER TABLE a ENABLE ROW LEVEL SECURITY;
       CREATE POLICY few ON a USING (id < 3); GRANT SELECT ON a TO limited_${database.name}`,
    );
    const url = database.url.replace("postgres@", `limited_${database.name}@`);
    await using store = await connect(url);
    const failed = await store.open().catch((error: unknown) => error);
    expect(failed).toMatchObject({
      code: "STORE_DENIED",
      details: { denied: ["public.b"], hidden: ["public.a"] },
    });
    const probes = await store.probe();
    const privileges = probes.find(({ name }) => name === "privileges");
    expect(privileges?.status).toBe("critical");
    // What it prints is enough.
    const statements = /As a superuser, in the database [^:]*: (.*)$/.exec(privileges!.text)![1]!;
    await sql(database.url, statements);
    await using view = await store.open();
    const facts = await view.dump(sink());
    expect(facts.collections.map(({ records }) => records)).toEqual([500, 0]);
    expect(facts.omitted).toEqual([]);
    await view[Symbol.asyncDispose]();
    await sql(database.url, `DROP OWNED BY limited_${database.name}; DROP ROLE limited_${database.name}`);
  });

  it("W-M10: a transaction that is ended from outside fails the dump, and nothing is left", async () => {
    for (const victim of ["memkeep", "pg_dump"]) {
      await using database = await sample();
      // More than a pipe holds, so that pg_dump is still writing.
      await sql(
        database.url,
        "INSERT INTO a SELECT i, repeat('y', 500) FROM generate_series(1000, 6000) AS i",
      );
      await using store = await connect(database.url);
      {
        await using view = await store.open();
        await sql(
          database.url,
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = '${database.name}' AND application_name = '${victim}'`,
        );
        const failed = await view.dump(sink()).catch((error: unknown) => error);
        expect(isMemkeepError(failed), String(failed)).toBe(true);
      }
      expect(await leftBehind(bench.server.url)).toEqual([]);
    }
  });

  it("a view that is not read leaves nothing behind", async () => {
    await using database = await sample();
    await using store = await connect(database.url);
    await (await store.open())[Symbol.asyncDispose]();
    expect(await leftBehind(bench.server.url)).toEqual([]);
  });

  it("names are data", async () => {
    const names = hostileNames();
    await using database = await createDatabase(bench.server.url, `we"ird '\\ =x ${"🙂".repeat(4)}`);
    const statements = names.map(
      (name, place) =>
        `CREATE SCHEMA ${ident(`${place}${name}`)};
         CREATE TABLE ${ident(`${place}${name}`)}.${ident(name)} (${ident(name)} text PRIMARY KEY, n integer);
         INSERT INTO ${ident(`${place}${name}`)}.${ident(name)} VALUES (E'${name.replaceAll("\\", "\\\\").replaceAll("'", "''")}', 1)`,
    );
    await sql(database.url, statements.join(";"));
    await using store = await connect(database.url);
    const { dump, manifest } = await dumped(store);
    expect(manifest.collections.filter(({ records }) => records === 1)).toHaveLength(names.length);
    const source = dump.source(manifest);
    const options = { target: { kind: "in-place" }, force: false } as const;
    const plan = await store.planRestore(source, options);
    await using restoration = await store.stage(plan, source, options);
    expect(await restoration.facts()).toEqual(manifest.collections);
    const { previous } = await restoration.switch();
    expect(previous?.undo).toMatch(/^psql /);
    await restoration.rollBack();
  }, 300_000);

  it("W-C9: the password is in no argument, no output and no error, whatever its characters", async () => {
    const password = String.fromCharCode(...Array.from({ length: 126 }, (_, i) => i + 1));
    await using database = await sample();
    // More than a pipe holds, so that pg_dump is still there when it is looked for.
    await sql(
      database.url,
      "INSERT INTO a SELECT i, repeat('y', 1000) FROM generate_series(1000, 4000) AS i",
    );
    const [row] = await sql(bench.server.url, "SELECT setting FROM pg_settings WHERE name = 'hba_file'");
    const trust = await readFile(String(row!["setting"]), "utf8");
    async function setRules(text: string): Promise<void> {
      const lines = text.split("\n").filter((line) => line !== "");
      const values = lines.map((line) => `('${line.replaceAll("'", "''")}')`).join(",");
      await sql(
        bench.server.url,
        `COPY (VALUES ${values}) TO '${String(row!["setting"])}'; SELECT pg_reload_conf()`,
      );
    }
    await sql(
      bench.server.url,
      `CREATE ROLE keeper LOGIN SUPERUSER PASSWORD E'${password.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`,
    );
    await setRules("host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256");
    try {
      const observer = recordingObserver();
      const url = database.url.replace("postgres@", `keeper:${encodeURIComponent(password)}@`);
      await using store = await connectTo(url, 16, bench.spool.context({ observer }));
      const seen: string[] = [];
      async function look(): Promise<void> {
        for (const pid of await readdir("/proc")) {
          if (!/^\d+$/.test(pid)) continue;
          // A process may end while it is looked at.
          const line = await readFile(`/proc/${pid}/cmdline`, "latin1").catch(() => "");
          if (/pg_dump|pg_restore|psql/.test(line)) seen.push(line);
        }
      }
      const description = await store.describe();
      const folder = sink();
      let manifestText: string;
      {
        await using view = await store.open();
        await look();
        manifestText = JSON.stringify(await view.dump(folder));
      }
      expect(seen.some((line) => line.includes("pg_dump"))).toBe(true);
      await using wrong = await connectTo(url.replace("%7B", ""), 16, bench.spool.context({ observer }));
      const error = await wrong.open().catch((failed: unknown) => failed);
      expect(error).toMatchObject({ code: "STORE_DENIED" });
      const lost = await connectTo(`${url}lost`, 16, bench.spool.context({ observer }));
      const missing = await lost.open().catch((failed: unknown) => failed);
      expect(missing).toMatchObject({ code: "STORE_MISSING" });
      const outputs = [
        ...seen,
        ...observer.texts,
        manifestText,
        JSON.stringify(description),
        String(error),
        String(missing),
        JSON.stringify(await store.probe()),
        ...(await folder.contents()).values().map((bytes) => bytes.toString("latin1")),
      ];
      const piece = password.slice(40, 60);
      for (const output of outputs) {
        expect(output.includes(piece)).toBe(false);
        expect(output.includes(encodeURIComponent(password).slice(40, 80))).toBe(false);
      }
    } finally {
      await setRules(
        trust
          .split("\n")
          .filter((line) => /^(local|host)/.test(line))
          .join("\n"),
      );
      await sql(bench.server.url, "DROP ROLE keeper");
    }
  });

  const many = isNightly ? 10_000 : 2000;
  it(`${many} tables`, async () => {
    await using database = await createDatabase(bench.server.url);
    for (let first = 0; first < many; first += 1000) {
      await sql(
        database.url,
        `DO $$ BEGIN FOR i IN ${first}..${first + 999} LOOP EXECUTE format('CREATE TABLE t%s AS SELECT %s AS i', i, i); END LOOP; END $$`,
      );
    }
    await using store = await connect(database.url);
    const { manifest } = await dumped(store);
    expect(manifest.collections).toHaveLength(many);
    expect(manifest.collections.every(({ records }) => records === 1)).toBe(true);
  }, 300_000);

  const objectsMiB = isNightly ? 1024 : 64;
  it(`${objectsMiB} MiB of large objects, the half of it in one, come back`, async () => {
    await using database = await createDatabase(bench.server.url);
    await sql(
      database.url,
      `DO $$ DECLARE piece bytea := decode(repeat(md5('x'), 65536), 'hex'); BEGIN
         PERFORM lo_create(4000000000);
         FOR i IN 0..${objectsMiB / 2 - 1} LOOP PERFORM lo_put(4000000000, i * 1048576, set_byte(piece, i, i % 256)); END LOOP;
         FOR i IN 1..${objectsMiB / 2} LOOP PERFORM lo_from_bytea(0, set_byte(piece, 7, i % 256)); END LOOP; END $$`,
    );
    await using store = await connect(database.url);
    const { dump, manifest } = await dumped(store);
    expect(manifest.collections).toMatchObject([{ name: "large objects", records: objectsMiB / 2 + 1 }]);
    const options = { target: { kind: "scratch" }, force: false } as const;
    const source = dump.source(manifest);
    await using restoration = await store.stage(await store.planRestore(source, options), source, options);
    expect(await restoration.facts()).toEqual(manifest.collections);
  }, 1_200_000);

  it("an empty database, and one with tables without rows", async () => {
    await using database = await createDatabase(bench.server.url);
    await using store = await connect(database.url);
    const { dump, manifest } = await dumped(store);
    expect(manifest.collections).toEqual([]);
    const options = { target: { kind: "scratch" }, force: false } as const;
    const source = dump.source(manifest);
    await using restoration = await store.stage(await store.planRestore(source, options), source, options);
    expect(await restoration.facts()).toEqual([]);
  });

  it("a database that is not there, and a server that is not there", async () => {
    await using missing = await connect(databaseUrl(bench.server.url, "not_there"));
    await expect(missing.open()).rejects.toMatchObject({ code: "STORE_MISSING" });
    await using unreachable = await connect("postgresql://postgres@127.0.0.1:1/postgres");
    await expect(unreachable.open()).rejects.toMatchObject({ code: "STORE_UNREACHABLE" });
  });
});

function ident(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** 200 names: every ASCII character, patterns of pg_dump, options, SQL, and long ones of several bytes. */
function hostileNames(): string[] {
  const names = Array.from({ length: 126 }, (_, i) => `n${String.fromCharCode(i + 1)}`);
  names.push(
    "*",
    "a*b",
    "?",
    "a.b",
    '"',
    '""',
    "'",
    "''",
    "\\",
    "\\\\",
    "$1",
    "%s",
    "%",
    "--",
    "-x",
    "--help",
    ";",
    "; DROP TABLE x",
    "select",
    "SELECT",
    "user",
    "NULL",
    "null",
    "\\N",
    "\\.",
    "[a]",
    "(a|b)",
    "^a$",
    "a=b",
    "dbname=x",
    "postgresql://x",
    "line\nfeed",
    "car\rriage",
    "tab\tulator",
    " lead",
    "trail ",
    "ÄÖÜ",
    "日本語",
    "🙂",
    "\u200b",
    "\u202eright",
    "e\u0301",
    ..."🙂🐘é日x"
      .repeat(8)
      .match(/./gu)!
      .map((_, i) =>
        "🙂🐘é日x"
          .repeat(8)
          .slice(0, i + 2)
          .toWellFormed()
          .replaceAll("\ufffd", ""),
      ),
  );
  const fitting = names.filter((name) => name !== "" && Buffer.byteLength(name) <= 60);
  return [...new Set(fitting)].slice(0, 200);
}
