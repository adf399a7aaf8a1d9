/** `examples/mem0-stack` on real engines: one recovery point of three stores, each lost and brought back, then all. */
import { cp, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeFolder, removeFolder, runMemkeep } from "../cli/run-memkeep.ts";
import type { Ended } from "../cli/run-memkeep.ts";
import { postgresPrograms } from "../engines/postgres/index.ts";
import { engine } from "../engines/require.ts";
import type { Server } from "../engines/server.ts";
import { TestDatabase, password } from "../neo4j/testing.ts";
import { databaseUrl, sql } from "../postgres/testing.ts";

const postgres = await engine("postgres-16");
const neo4j = await engine("neo4j");
const example = fileURLToPath(new URL("../../examples/mem0-stack/memkeep.yaml", import.meta.url));
const memories = 300;

describe.skipIf(postgres.missing ?? neo4j.missing)("examples/mem0-stack", () => {
  let folder: string;
  let server: Server;
  let graph: TestDatabase;
  let env: Readonly<Record<string, string>>;
  let url: string;
  let history: string;
  beforeAll(async () => {
    folder = await makeFolder();
    await cp(example, join(folder, "memkeep.yaml"));
    [server, graph] = await Promise.all([postgres.start(), TestDatabase.start(neo4j)]);
    url = databaseUrl(server.url, "mem0");
    history = join(folder, "data/mem0/history/history.db");
    const { hostname, port } = new URL(server.url);
    env = {
      POSTGRES_USER: "drj",
      POSTGRES_PASSWORD: "unused-by-trust",
      POSTGRES_HOST: hostname,
      POSTGRES_PORT: port,
      NEO4J_URI: graph.config().url,
      NEO4J_AUTH: `neo4j/${password}`,
      MEMKEEP_PASSWORD: "a password",
      PATH: `${await postgresPrograms(16)}:${process.env["PATH"] ?? ""}`,
    };
    await sql(server.url, "CREATE ROLE drj SUPERUSER LOGIN; ");
    await fillPostgres();
    await fillGraph();
    await fillHistory();
  });
  afterAll(async () => {
    await graph?.[Symbol.asyncDispose]();
    await server?.stop();
    await removeFolder(folder);
  });

  function memkeep(...args: string[]): Promise<Ended> {
    return runMemkeep(args, { cwd: folder, env });
  }

  /** mem0's tables: vectors with a JSON payload, and OpenMemory's around them. */
  async function fillPostgres(): Promise<void> {
    await sql(server.url, "CREATE DATABASE mem0 OWNER drj");
    await sql(
      url,
      `SET ROLE drj;
       CREATE EXTENSION vector;
       CREATE TYPE memorystate AS ENUM ('active', 'paused', 'archived', 'deleted');
       CREATE TABLE mem0_memories (id uuid PRIMARY KEY, vector vector(64), payload jsonb);
       CREATE TABLE openmemory (LIKE mem0_memories INCLUDING ALL);
       CREATE TABLE users (id uuid PRIMARY KEY, user_id text UNIQUE, name text, metadata json, created_at timestamptz);
       CREATE TABLE memory_status_history (id serial PRIMARY KEY, memory_id uuid REFERENCES mem0_memories, old_state memorystate, new_state memorystate);
       INSERT INTO users VALUES (gen_random_uuid(), 'drj', 'Dr. J', '{"locale": "en"}', now());
       INSERT INTO mem0_memories SELECT md5(i::text)::uuid,
         (SELECT array_agg(sin(i * d)) FROM generate_series(1, 64) AS d)::vector,
         jsonb_build_object('data', 'Prefers tea number ' || i, 'hash', md5('tea' || i), 'user_id', 'drj', 'created_at', '2026-11-2' || i % 10 || 'T10:00:00-08:00', 'source_app', 'openmemory', 'score', i / 7.0)
         FROM generate_series(1, ${memories}) AS i;
       INSERT INTO openmemory SELECT * FROM mem0_memories LIMIT 50;
       INSERT INTO memory_status_history (memory_id, old_state, new_state) SELECT id, 'active', 'archived' FROM mem0_memories LIMIT 20;
       CREATE INDEX ON mem0_memories USING hnsw (vector vector_cosine_ops);`,
    );
  }

  /** mem0's entities and what they have to do with each other, as its graph memory writes them. */
  async function fillGraph(): Promise<void> {
    await graph.run(
      "CREATE CONSTRAINT entity FOR (n:__Entity__) REQUIRE (n.name, n.user_id) IS UNIQUE",
      `UNWIND range(1, ${memories}) AS i CREATE (:__Entity__:place {name: 'tea_house_' + toString(i), user_id: 'drj', created: timestamp(), mentions: i % 5, embedding: [d IN range(1, 384) | sin(i * d)]})`,
      "CREATE (:__Entity__:person {name: 'dr_j', user_id: 'drj', created: timestamp(), created_at: datetime()})",
      "CREATE (:__Entity__:person {name: 'dr_j', user_id: 'somebody else'})",
      "MATCH (p:person {user_id: 'drj'}), (t:place) CREATE (p)-[:visits {mentions: 1, valid: true, created: datetime()}]->(t)",
      "MATCH (a:place), (b:place) WHERE b.name = a.name + '0' CREATE (a)-[:near {km: 0.1 + 0.2}]->(b), (a)-[:near {km: 1.0}]->(b)",
      "CREATE VECTOR INDEX memzero FOR (n:__Entity__) ON (n.embedding) OPTIONS {indexConfig: {`vector.dimensions`: 384, `vector.similarity_function`: 'cosine'}}",
    );
  }

  /** What db_backup.sh never had. */
  async function fillHistory(): Promise<void> {
    await mkdir(join(folder, "data/mem0/history"), { recursive: true });
    using database = new DatabaseSync(history);
    database.exec(
      "pragma journal_mode = wal; CREATE TABLE history (id TEXT PRIMARY KEY, memory_id TEXT, old_memory TEXT, new_memory TEXT, event TEXT, created_at DATETIME, updated_at DATETIME, is_deleted INTEGER, actor_id TEXT, role TEXT)",
    );
    const insert = database.prepare(
      "INSERT INTO history (id, memory_id, new_memory, event, is_deleted) VALUES (?, ?, ?, 'ADD', 0)",
    );
    for (let at = 0; at < memories; at++) insert.run(`h${at}`, `m${at}`, `Prefers tea number ${at}`);
  }

  /** All that the three stores hold, asked of them directly. */
  async function everything(): Promise<unknown> {
    const tables = ["mem0_memories", "openmemory", "users", "memory_status_history"];
    const rows = await Promise.all(
      tables.map((table) =>
        sql(url, `SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM ${table} AS t`),
      ),
    );
    const { dump, manifest } = await graph.dump({ key: "name" });
    const files = Object.fromEntries(
      [...(await dump.contents())].map(([name, bytes]) => [name, bytes.toString("base64")]),
    );
    using database = new DatabaseSync(history, { readOnly: true });
    return {
      rows,
      graph: { counts: manifest.collections, files },
      history: database.prepare("SELECT * FROM history ORDER BY id").all(),
    };
  }

  async function restore(...args: string[]): Promise<void> {
    const ended = await memkeep("restore", "latest", "--apply", ...args);
    expect(ended.stderr + ended.stdout).not.toContain("at file://");
    expect(ended.code, ended.stderr).toBe(0);
  }

  it("W-M1, W-M5: takes the three as one recovery point, brings back each that is lost, and all", async () => {
    const before = await everything();
    expect((await memkeep("init")).code).toBe(0);
    const backup = await memkeep("backup", "--json");
    expect(backup.code, backup.stderr).toBe(0);
    expect(backup.stdout).not.toContain(password);
    const listed = await memkeep("ls", "latest");
    for (const name of ["memories", "graph", "history"]) expect(listed.stdout).toContain(name);

    await graph.run("MATCH (n:place) DETACH DELETE n", "DROP INDEX memzero");
    await restore("--store", "graph");
    expect(await everything()).toEqual(before);

    await sql(url, "TRUNCATE mem0_memories CASCADE; DROP TABLE openmemory");
    await restore("--store", "memories", "--force");
    expect(await everything()).toEqual(before);

    await rm(join(folder, "data/mem0"), { recursive: true });
    await mkdir(join(folder, "data/mem0/history"), { recursive: true });
    await restore("--store", "history");
    expect(await everything()).toEqual(before);

    await graph.empty();
    await sql(server.url, "DROP DATABASE mem0 WITH (FORCE)");
    await rm(history);
    await restore("--force");
    expect(await everything()).toEqual(before);
  });

  it("a drill proves PostgreSQL and SQLite, and says of Neo4j which level it reached", async () => {
    const verified = await memkeep("verify", "latest", "--level", "restored");
    expect(verified.stdout + verified.stderr).toContain("no scratch server is configured");
    expect(verified.code).toBe(1);
  });
});
