import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { discover } from "./discover.ts";
import type { Discovery } from "./found.ts";

/** Ports on which nobody listens: below 1024, and reserved. */
const nowhere = { postgres: 1, qdrant: 2, falkordb: 3, neo4j: 4 };

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "memkeep-discover-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function database(path: string): void {
  using db = new DatabaseSync(join(folder, path));
  db.exec("create table memories (id integer primary key)");
}

function look(environment: Readonly<Record<string, string>> = {}): Promise<Discovery> {
  return discover(folder, environment, [join(folder, "backups")], nowhere);
}

test("SQLite files, the nearest first, by their first bytes; each with a name of its own", async () => {
  for (const path of ["a/b", "node_modules", ".git", "backups"])
    await mkdir(join(folder, path), { recursive: true });
  for (const path of [
    "memory.db",
    "a/b/memory.sqlite",
    "記憶.db",
    "node_modules/no.db",
    ".git/no.db",
    "backups/no.db",
  ]) {
    database(path);
  }
  database("odd ${HOME}\n.db");
  await writeFile(join(folder, "text.db"), "SQLite is what this text is about. ".repeat(100));
  await writeFile(join(folder, "memory.db-wal"), "SQLite format 3\0".padEnd(1000));
  await symlink(folder, join(folder, "loop"));

  const { stores } = await look();

  expect(stores.map(({ name, entry }) => [name, entry["path"]])).toEqual([
    ["memory", "./memory.db"],
    ["odd-HOME", "./odd $${HOME}\n.db"],
    ["memory-2", "./記憶.db"],
    ["memory-3", "./a/b/memory.sqlite"],
  ]);
  expect(stores.every(({ lacking }) => lacking === undefined)).toBe(true);
});

test("a repository is no store, whatever it holds", async () => {
  for (const path of ["config", "data", "keys", "snapshots"])
    await mkdir(join(folder, "old", path), { recursive: true });
  database("old/data/no.db");

  expect((await look()).stores).toEqual([]);
});

test("the variables of AutoMem, Clara and mem0; what is missing is said, what is unsupported too", async () => {
  const { stores, storages, remarks } = await look({
    FALKORDB_HOST: "graph.internal",
    QDRANT_URL: "https://vectors.internal:6333",
    QDRANT_API_KEY: "hunter2",
    DATABASE_URL: "postgresql://clara:hunter2@db.internal/clara",
    POSTGRES_HOST: "pg.internal",
    NEO4J_URI: "neo4j://graph.internal:7687",
    NEO4J_AUTH: "neo4j/hunter2",
    S3_BUCKET: "clara-backups",
    S3_ACCESS_KEY: "hunter2",
    S3_SECRET_KEY: "hunter2",
    SUPABASE_URL: "https://x.supabase.co",
  });

  expect(stores.map(({ name, kind, lacking }) => [name, kind, lacking])).toEqual([
    ["graph", "falkordb", undefined],
    ["vectors", "qdrant", undefined],
    ["database", "postgres", undefined],
    ["memories", "postgres", "POSTGRES_PASSWORD must be set"],
    ["graph-2", "neo4j", undefined],
  ]);
  expect(stores[1]!.entry).toEqual({ url: "${QDRANT_URL}", apiKey: "${QDRANT_API_KEY}" });
  expect(storages).toMatchObject([{ entry: { type: "s3", bucket: "${S3_BUCKET}" } }]);
  expect(remarks).toEqual([expect.stringMatching(/^SUPABASE_URL is set, but/)]);
  expect(JSON.stringify({ stores, storages, remarks })).not.toContain("hunter2");
});

test("a DATABASE_URL of something else is no store", async () => {
  expect((await look({ DATABASE_URL: "mysql://x", QDRANT_URL: "" })).stores).toEqual([]);
});

test("variables that stand in .env alone: proposed, not ready, and what to run", async () => {
  await writeFile(join(folder, ".env"), 'export QDRANT_URL="http://vectors.internal:6333"\nOTHER=1\n');

  const { stores, remarks } = await look();

  expect(stores).toMatchObject([{ kind: "qdrant", lacking: expect.stringContaining(".env") }]);
  expect(remarks).toEqual([expect.stringContaining("set -a; . ./.env; set +a")]);
});

test("compose files: databases that publish their port; secrets of the file are not copied", async () => {
  await writeFile(
    join(folder, "docker-compose.yml"),
    `services:
  memory-db:
    image: docker.io/pgvector/pgvector:pg17
    ports: ["127.0.0.1:\${PG_PORT:-5}:5432"]
    environment: { POSTGRES_USER: "m e", POSTGRES_PASSWORD: hunter2, POSTGRES_DB: "\${DB:-mem}" }
  graph:
    image: falkordb/falkordb:latest
    ports: [{ target: 6379, published: 6 }]
    environment: [REDIS_ARGS=--requirepass hunter2]
  vectors: { image: "qdrant/qdrant:v1.18.3", ports: ["7:6333"] }
  neo: { image: "neo4j:5", ports: ["8:7687"], environment: { NEO4J_AUTH: none } }
  hidden: { image: "postgres:18" }
  web: { image: "nginx", ports: ["80:80"] }
`,
  );
  const { stores } = await look({ POSTGRES_PASSWORD: "hunter2", FALKORDB_PASSWORD: "hunter2" });

  expect(stores.map(({ name, entry }) => [name, entry])).toEqual([
    [
      "memory-db",
      {
        url: "postgresql://m%20e@127.0.0.1:${PG_PORT:-5}/${DB:-mem}",
        password: "${POSTGRES_PASSWORD}",
      },
    ],
    [
      "graph",
      { url: "redis://127.0.0.1:6", password: "${FALKORDB_PASSWORD}", graph: "${FALKORDB_GRAPH:-memories}" },
    ],
    ["vectors", { url: "http://127.0.0.1:7" }],
    ["neo", { url: "neo4j://127.0.0.1:8", auth: "none" }],
  ]);
  expect(stores.map(({ lacking }) => lacking)).toEqual(
    [5, 6, 7, 8].map((port) => `nothing answers on port ${port}; start it first`),
  );
});

test.each(["services: [1, 2]", "\t{", "services: { a: { image: postgres, ports: 5 } }", "&a [*a, *a]"])(
  "a compose file that is none holds nothing: %j",
  async (text) => {
    await writeFile(join(folder, "compose.yaml"), text);
    expect((await look()).stores).toEqual([]);
  },
);
