/** Parts, globals and what happens to the old database, through the real program. */
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../engines/command.ts";
import { postgresPrograms } from "../engines/postgres/index.ts";
import { engine } from "../engines/require.ts";
import type { Server } from "../engines/server.ts";
import { createDatabase, databaseUrl, sql, type TestDatabase } from "../postgres/testing.ts";
import { type Ended, makeFolder, makeMemory, runMemkeep } from "./run-memkeep.ts";

const postgres = await engine("postgres-16");
const role = "cli_restored_owner";

describe.skipIf(postgres.missing)("memkeep restore of PostgreSQL", () => {
  let server: Server;
  let database: TestDatabase;
  let folder: string;
  let env: Record<string, string>;

  beforeAll(async () => {
    folder = await makeFolder();
    server = await postgres.start();
    database = await createDatabase(server.url, "cli_restore");
    env = { PATH: `${await postgresPrograms(16)}:/usr/bin:/bin`, MEMKEEP_PASSWORD: "of these tests" };
    await sql(
      database.url,
      `CREATE ROLE ${role}; CREATE SCHEMA app; CREATE TABLE app.notes (id serial PRIMARY KEY, text text); ALTER TABLE app.notes OWNER TO ${role};
       INSERT INTO app.notes (text) SELECT 'note ' || n FROM generate_series(1, 30) n;
       CREATE TABLE memories (id serial PRIMARY KEY, text text); CREATE INDEX by_text ON memories (text);
       INSERT INTO memories (text) SELECT 'memory ' || n FROM generate_series(1, 50) n`,
    );
    expect(await memkeep(["init"])).toMatchObject({ code: 0 });
    expect(await memkeep(["backup", "--store", database.url])).toMatchObject({ code: 0 });
  });
  afterAll(async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  function memkeep(args: readonly string[]): Promise<Ended> {
    return runMemkeep([...args, "--repository", join(folder, "backups")], { cwd: folder, env });
  }
  function restore(...more: string[]): Promise<Ended> {
    return memkeep(["restore", "latest", "--store", database.url, ...more]);
  }
  async function harm(): Promise<void> {
    await sql(
      database.url,
      "DROP INDEX IF EXISTS by_text; DELETE FROM memories WHERE id > 5; DELETE FROM app.notes WHERE id > 3",
    );
  }
  async function counts(): Promise<unknown> {
    const [row] = await sql(
      database.url,
      `SELECT (SELECT count(*)::int FROM memories) AS memories, (SELECT count(*)::int FROM app.notes) AS notes,
              to_regclass('by_text') IS NOT NULL AS indexed`,
    );
    return row;
  }
  async function kept(): Promise<number> {
    return (await sql(server.url, "SELECT FROM pg_database WHERE datname LIKE 'cli\\_restore\\_before%'"))
      .length;
  }

  it("--table and --schema restore a part, and the plan says which", async () => {
    await harm();
    const plan = await restore("--table", "memories");
    expect(plan).toMatchObject({ code: 0 });
    expect(plan.stdout).toMatch(/in one transaction: [^]*the table memories, with\s+sequences and indexes/);
    expect(plan.stdout).not.toContain("app.notes");
    expect(await counts()).toEqual({ memories: 5, notes: 3, indexed: false });

    expect(await restore("--table", "memories", "--apply")).toMatchObject({ code: 0 });
    expect(await counts()).toEqual({ memories: 50, notes: 3, indexed: true });
    expect(await restore("--schema", "app", "--apply")).toMatchObject({ code: 0 });
    expect(await counts()).toEqual({ memories: 50, notes: 30, indexed: true });
  });

  it("what the dump does not have is told by the plan", async () => {
    const plan = await restore("--table", "app.nothing");
    expect(plan).toMatchObject({ code: 64, stdout: "" });
    expect(plan.stderr).toContain("it does not have the table app.nothing");
  });

  it("--discard-old keeps no old database, and the safety snapshot is told", async () => {
    await harm();
    const usual = await restore("--apply");
    expect(usual).toMatchObject({ code: 0 });
    expect(usual.stdout).toContain("to swap it back");
    expect(await kept()).toBe(1);
    const discarding = await restore("--apply", "--discard-old");
    expect(discarding).toMatchObject({ code: 0 });
    expect(discarding.stdout).not.toContain("to swap it back");
    expect(discarding.stdout).toContain("a safety snapshot was taken");
    expect(await kept()).toBe(0);
    expect(await counts()).toEqual({ memories: 50, notes: 30, indexed: true });
  });

  it("law 9: what cat prints is an archive that stock pg_restore and psql bring back without memkeep", async () => {
    const { stdout } = await memkeep(["ls", "latest"]);
    const path = /\S+database\.dump/.exec(stdout)![0];
    const args = ["cat", "latest", path, "--repository", join(folder, "backups")];
    const through = ["sh", "-c", 'exec "$@" > archive', "sh"];
    expect(await runMemkeep(args, { cwd: folder, env, through })).toMatchObject({ code: 0 });
    for (const way of [
      'pg_restore --exit-on-error --dbname="$0" archive',
      'pg_restore --file=archive.sql archive && psql -X -q -v ON_ERROR_STOP=1 -f archive.sql "$0"',
    ]) {
      await using copy = await createDatabase(server.url);
      await run("sh", ["-c", way, copy.url], { cwd: folder, env });
      expect(await sql(copy.url, "SELECT count(*)::int AS n, max(text) AS last FROM memories")).toEqual([
        { n: 50, last: "memory 9" },
      ]);
    }
  });

  it("law 9: export --format sql is a script that psql runs to its end without memkeep", async () => {
    const args = ["export", "latest", "--format", "sql", "--repository", join(folder, "backups")];
    const through = ["sh", "-c", 'exec "$@" > exported.sql', "sh"];
    expect(await runMemkeep(args, { cwd: folder, env, through })).toMatchObject({ code: 0 });
    await using copy = await createDatabase(server.url);
    await run("psql", ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "exported.sql", copy.url], {
      cwd: folder,
      env,
    });
    const text =
      "SELECT count(*)::int AS n, max(text) AS last, to_regclass('by_text') IS NOT NULL AS indexed FROM memories";
    expect(await sql(copy.url, text)).toEqual([{ n: 50, last: "memory 9", indexed: true }]);
    const plain = await memkeep(["export", "latest", "./x", "--format", "sql"]);
    expect(plain).toMatchObject({ code: 64, stdout: "" });
    expect(await memkeep(["export", "latest"])).toMatchObject({ code: 64, stdout: "" });
  });

  describe("commands of the configuration", () => {
    const note = (word: string, end = "exit 0"): string =>
      JSON.stringify(["sh", "-c", `echo ${word} >> ran; ${end}`]);
    async function withCommands(
      before: string,
      after: string,
      ...more: string[]
    ): Promise<Ended & { ran: string }> {
      await rm(join(folder, "ran"), { force: true });
      await writeFile(
        join(folder, "memkeep.yaml"),
        `version: 1\nstack: cli_restore\nstores: { cli_restore: { type: postgres, url: ${JSON.stringify(database.url)} } }
repositories: { local: { storage: ./backups } }\nrestore: { before: ${before}, after: ${after}, commandLimit: 2s }\n`,
      );
      try {
        const ended = await runMemkeep(["restore", "latest:cli_restore", ...more], { cwd: folder, env });
        const ran = await readFile(join(folder, "ran"), "utf8").catch(() => "");
        return { ...ended, ran: ran.trim().replaceAll("\n", " ") };
      } finally {
        await rm(join(folder, "memkeep.yaml"));
      }
    }

    it("W-M2: run around a restore, the plan shows them, and what fails still starts the application again", async () => {
      await harm();
      const plan = await withCommands(note("before"), note("after"));
      expect(plan).toMatchObject({ code: 0, ran: "" });
      expect(plan.stdout.replaceAll(/\s+/g, " ")).toContain("First it runs: sh -c");
      const failing = await withCommands(note("before", "exit 3"), note("after"), "--apply");
      expect(failing).toMatchObject({ code: 2, ran: "before after" });
      expect(failing.stderr.replaceAll(/\s+/g, " ")).toContain("it ended with code 3");
      const endless = await withCommands(JSON.stringify(["sleep", "600"]), note("after"), "--apply");
      expect(endless).toMatchObject({ code: 2, ran: "after" });
      expect(await counts()).toEqual({ memories: 5, notes: 3, indexed: false });
      // A view that is not in the dump keeps its table from being replaced: pg_restore fails half-way.
      await sql(database.url, "CREATE VIEW on_top AS SELECT id FROM memories");
      const part = ["--table", "memories", "--store", "cli_restore", "--apply"];
      const undone = await withCommands(note("before"), note("after"), ...part);
      expect(undone).toMatchObject({ code: 2, ran: "before after" });
      expect(await counts()).toEqual({ memories: 5, notes: 3, indexed: false });
      await sql(database.url, "DROP VIEW on_top");
      const unstarted = await withCommands(
        note("before"),
        note("after", "exit 1"),
        "--apply",
        "--discard-old",
      );
      expect(unstarted).toMatchObject({ code: 2, ran: "before after" });
      expect(unstarted.stderr.replaceAll(/\s+/g, " ")).toContain("What was restored stays");
      expect(await counts()).toEqual({ memories: 50, notes: 30, indexed: true });
    }, 120_000);
  });

  it("--globals brings roles back, and nothing else does", async () => {
    const target = databaseUrl(server.url, "cli_restore_globals");
    await sql(server.url, "DROP DATABASE cli_restore");
    await sql(server.url, `DROP ROLE ${role}`);
    const without = await restore("--into", target, "--apply");
    expect(without.code).toBe(2);
    expect(without.stderr).toContain(role);
    expect(await restore("--into", target, "--apply", "--globals")).toMatchObject({ code: 0 });
    expect(await sql(target, "SELECT tableowner FROM pg_tables WHERE schemaname = 'app'")).toEqual([
      { tableowner: role },
    ]);
    await sql(server.url, "DROP DATABASE cli_restore_globals");
    await sql(server.url, `DROP ROLE ${role}`);
  });

  it.each([["--schema", "app"], ["--table", "memories"], ["--globals"], ["--discard-old"]])(
    "%s is refused by another kind of store, and for a folder",
    async (...option) => {
      makeMemory(join(folder, `${option[0]}.db`), 3);
      const store = ["--store", `./${option[0]}.db`];
      expect(await memkeep(["backup", ...store])).toMatchObject({ code: 0 });
      const refused = await memkeep(["restore", "latest", ...store, ...option]);
      expect(refused).toMatchObject({ code: 64, stdout: "" });
      expect(refused.stderr).toMatch(new RegExp(`${option[0]}.*sqlite.*PostgreSQL`, "s"));
      expect(await memkeep(["restore", "latest", "--into", "./new", ...option])).toMatchObject({ code: 64 });
    },
  );
});
