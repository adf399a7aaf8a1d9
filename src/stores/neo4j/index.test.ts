import { afterAll, beforeAll, beforeEach, describe } from "vitest";
import { engine } from "../../../test/engines/require.ts";
import { DatabasePool, fillAwkward, password } from "../../../test/neo4j/testing.ts";
import type { TestDatabase } from "../../../test/neo4j/testing.ts";
import { storeContract } from "../contract/suite.ts";
import { fromUrl } from "./config.ts";
import { neo4j } from "./index.ts";

const server = await engine("neo4j");

describe.skipIf(server.missing)("neo4j", () => {
  const pool = new DatabasePool(server);
  let beside: TestDatabase;
  beforeAll(async () => {
    await pool.prepare(3);
    beside = await pool.take();
  });
  beforeEach(() => beside.empty());
  afterAll(() => pool[Symbol.asyncDispose]());

  storeContract({
    kind: "neo4j",
    adaptor: neo4j,
    logicalDump: true,
    lostIsEmpty: true,
    async create() {
      const database = await pool.take();
      await fillAwkward(database);
      const { url } = beside.config();
      const settings = { scratch: { url, password } };
      return {
        connect: (context) => neo4j.connect(database.config(settings), context),
        async change() {
          await database.run(
            "MATCH (n:Memory {id: 'm5'}) DETACH DELETE n",
            "CREATE (n:Memory {id: 'new', importance: 1.0}) WITH n MATCH (m:Memory {id: 'm0'}) CREATE (n)-[:RELATES_TO]->(m)",
            "MATCH (n:Memory {id: 'm6'}) SET n.importance = n.importance + 1",
          );
          return "(:Memory)";
        },
        lose: () => database.empty(),
        [Symbol.asyncDispose]() {
          pool.giveBack(database);
          return Promise.resolve();
        },
      };
    },
    async emptyTarget() {
      await beside.empty();
      return { target: beside.url, connect: (context) => neo4j.connect(fromUrl(beside.url), context) };
    },
  });
});
