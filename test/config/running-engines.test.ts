import { createServer, type AddressInfo, type Socket } from "node:net";
import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { greet } from "../../src/config/discover/engines/greeting.ts";
import type { FoundStore } from "../../src/config/discover/found.ts";
import { encodeCommand } from "../../src/stores/falkordb/resp.ts";
import { findNeo4j } from "../../src/config/discover/engines/neo4j.ts";
import { findPostgres } from "../../src/config/discover/engines/postgres.ts";
import { findQdrant } from "../../src/config/discover/engines/qdrant.ts";
import { findFalkorDB } from "../../src/config/discover/engines/redis.ts";
import { findRunningEngines } from "../../src/config/discover/engines/running.ts";
import { engine } from "../engines/require.ts";

const engines = {
  postgres: await engine("postgres-16"),
  falkordb: await engine("falkordb"),
  qdrant: await engine("qdrant"),
  neo4j: await engine("neo4j"),
};

function portOf(url: string): number {
  return Number(new URL(url).port);
}

describe.skipIf(engines.postgres.missing)("PostgreSQL", () => {
  test("is known by its answer, and says nothing more", async () => {
    await using server = await engines.postgres.start();
    const port = portOf(server.url);
    expect(await findPostgres(port, {})).toMatchObject({
      kind: "postgres",
      entry: { url: `postgresql://\${PGUSER:-postgres}@127.0.0.1:${port}/\${PGDATABASE:-postgres}` },
      lacking: expect.stringContaining("PGPASSWORD"),
    });
    // Each finder takes others for what they are.
    expect(await findFalkorDB(port)).toBeUndefined();
    expect(await findNeo4j(port, {})).toBeUndefined();
    expect(await findQdrant(port, {})).toBeUndefined();
  });
});

describe.skipIf(engines.falkordb.missing)("FalkorDB", () => {
  test("with its graphs; without one it is said; a password is asked for", async () => {
    {
      await using server = await engines.falkordb.start();
      const port = portOf(server.url);
      expect(await findFalkorDB(port)).toMatch(/holds no graph yet/);
      for (const graph of ["a\r\n$b", "memories"]) {
        await greet(
          port,
          encodeCommand(["GRAPH.QUERY", graph, "CREATE (:M)"]),
          (answer) => answer.length > 0,
        );
      }
      const found = await findFalkorDB(port);
      expect(found).toMatchObject({ kind: "falkordb", lacking: undefined });
      const graphs = (found as FoundStore).entry["graphs"] as readonly string[];
      expect([...graphs].sort()).toEqual(["a\r\n$b", "memories"]);
      expect(await findPostgres(port, {})).toBeUndefined();
    }
    await using locked = await engines.falkordb.start({ password: "hunter2" });
    expect(await findFalkorDB(portOf(locked.url))).toMatchObject({
      entry: { password: "${FALKORDB_PASSWORD}" },
      lacking: expect.stringContaining("FALKORDB_PASSWORD"),
    });
  });
});

describe.skipIf(engines.qdrant.missing)("Qdrant", () => {
  test("says who it is; without a collection it is said", async () => {
    await using server = await engines.qdrant.start();
    const port = portOf(server.url);
    expect(await findQdrant(port, {})).toMatch(/holds no collection yet/);
    await fetch(`${server.url}/collections/memories`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ vectors: { size: 2, distance: "Cosine" } }),
    });
    expect(await findQdrant(port, {})).toMatchObject({
      entry: { url: `http://127.0.0.1:${port}` },
      where: expect.stringContaining("1 collection"),
      lacking: undefined,
    });
  });
});

describe.skipIf(engines.neo4j.missing)("Neo4j", () => {
  test("is known by Bolt's handshake", async () => {
    await using server = await engines.neo4j.start();
    expect(await findNeo4j(portOf(server.url), { NEO4J_AUTH: "none" })).toMatchObject({
      kind: "neo4j",
      entry: { auth: "${NEO4J_AUTH}" },
      lacking: undefined,
    });
  });
});

test("a server that takes connections and never answers holds nobody up; one that talks without end neither", async () => {
  await using silent = await listening(() => undefined);
  await using loud = await listening((socket) => socket.write("x".repeat(1 << 20)));
  for (const { port } of [silent, loud]) {
    expect(
      await findRunningEngines({}, { postgres: port, qdrant: port, falkordb: port, neo4j: port }),
    ).toEqual([]);
  }
});

async function listening(greet: (socket: Socket) => unknown): Promise<{ port: number } & AsyncDisposable> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket.on("error", () => undefined));
    greet(socket);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
