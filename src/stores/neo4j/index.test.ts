import { afterAll, beforeAll, describe } from "vitest";
import { engine } from "../../../test/engines/require.ts";
import { TestDatabase, fillAwkward, password } from "../../../test/neo4j/testing.ts";
import { storeContract } from "../contract/suite.ts";
import { fromUrl } from "./config.ts";
import { neo4j } from "./index.ts";

const server = await engine("neo4j");

describe.skipIf(server.missing)("neo4j", () => {
  /** Community Edition has one database a server: one that holds the graph, and one beside it for drills and targets, which a second graph takes. */
  let idle: TestDatabase[] = [];
  let all: readonly TestDatabase[] = [];
  let graphs = 0;
  beforeAll(async () => {
    all = await Promise.all([TestDatabase.start(server), TestDatabase.start(server)]);
    idle = [...all];
  });
  afterAll(async () => {
    for (const database of all) await database[Symbol.asyncDispose]();
  });

  storeContract({
    kind: "neo4j",
    adaptor: neo4j,
    logicalDump: true,
    lostIsEmpty: true,
    async create() {
      const database = idle.shift()!;
      await database.empty();
      // The first one is dumped, restored and compared by all laws; those that tests change have the same records.
      await fillAwkward(database, graphs++ === 0 ? "whole" : "little");
      const beside = all.find((other) => other !== database)!;
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
        async [Symbol.asyncDispose]() {
          await database.empty();
          idle.push(database);
        },
      };
    },
    async emptyTarget() {
      const beside = idle[0]!;
      await beside.empty();
      return { target: beside.url, connect: (context) => neo4j.connect(fromUrl(beside.url), context) };
    },
  });
});
