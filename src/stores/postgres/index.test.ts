import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { postgresPrograms } from "../../../test/engines/postgres/index.ts";
import { engine } from "../../../test/engines/require.ts";
import type { Server } from "../../../test/engines/server.ts";
import { storeContract } from "../contract/suite.ts";
import { connectPostgres, postgres } from "./index.ts";
import { schema } from "./config.ts";
import { corpusSql, createDatabase, databaseUrl, sql } from "../../../test/postgres/testing.ts";

const postgres16 = await engine("postgres-16");
describe.skipIf(postgres16.missing)("PostgreSQL 16", () => {
  let server: Server;
  let tools: string;
  const cleanups: AsyncDisposable[] = [];
  beforeAll(async () => {
    tools = await postgresPrograms(16);
    server = await postgres16.start();
  });
  afterAll(async () => {
    for (const cleanup of cleanups) await cleanup[Symbol.asyncDispose]();
    await server.stop();
  });
  const connectWith = (url: () => string) => (context: Parameters<typeof connectPostgres>[1]) =>
    connectPostgres(schema.parse({ url: url(), tools: [tools], retryAttempts: 1 }), context, {
      PATH: "/usr/bin:/bin",
    });
  let targets = 0;

  storeContract({
    kind: "postgres",
    adaptor: postgres,
    logicalDump: false,
    async create() {
      const database = await createDatabase(server.url);
      await sql(database.url, await corpusSql("base"));
      return {
        connect: connectWith(() => database.url),
        async change() {
          await sql(
            database.url,
            `UPDATE memories SET content = content || '!' WHERE id = (SELECT min(id) FROM memories);
             DELETE FROM memories WHERE id = (SELECT max(id) FROM memories);
             INSERT INTO memories (content) VALUES ('new')`,
          );
          return "public.memories";
        },
        async lose() {
          await sql(server.url, `DROP DATABASE "${database.name}" WITH (FORCE)`);
        },
        async [Symbol.asyncDispose]() {
          await database[Symbol.asyncDispose]();
        },
      };
    },
    emptyTarget() {
      const name = `target_${++targets}`;
      const target = databaseUrl(server.url, name);
      cleanups.push({
        async [Symbol.asyncDispose]() {
          await sql(server.url, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
        },
      });
      return Promise.resolve({ target, connect: connectWith(() => target) });
    },
  });

  it("is registered", async () => {
    const { storeKinds } = await import("../index.ts");
    expect(await storeKinds.postgres.adaptor()).toBe(postgres);
  });
});
