import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { describe, expect, test } from "vitest";

import { run } from "./command.ts";
import { ping } from "./falkordb/ping.ts";
import { askVersion } from "./neo4j/bolt.ts";
import { postgresPrograms } from "./postgres/index.ts";
import { engine, program } from "./require.ts";
import type { Server } from "./server.ts";

describe.for(["0.14.0", "0.18.0", "unstable"] as const)("restic %s", async (version) => {
  const restic = await program(`restic-${version}`);
  test.skipIf(restic.missing)("says its version", async () => {
    const said = await run(restic.path, ["version"]);
    expect(said).toMatch(version === "unstable" ? /^restic 0\.(19|[2-9]\d)\./ : `restic ${version} `);
  });
});

describe("sqlite3", async () => {
  const sqlite3 = await program("sqlite3");
  test.skipIf(sqlite3.missing)("says its version", async () => {
    expect(await run(sqlite3.path, ["-version"])).toMatch(/^3\.40\.1 /);
    expect(await run(sqlite3.path, [":memory:", "select 1 + 1"])).toBe("2\n");
  });
});

describe("langgraph", async () => {
  const langgraph = await program("langgraph");
  test.skipIf(langgraph.missing)("has the checkpointer", async () => {
    expect(
      await run(langgraph.path, ["-c", "import langgraph.checkpoint.sqlite as s; print(s.SqliteSaver)"]),
    ).toContain("SqliteSaver");
  });
});

describe("versitygw", async () => {
  const s3 = await engine("versitygw");
  test.skipIf(s3.missing || s3.existing)("answers as an S3 server until it is stopped", async () => {
    await using server = await s3.start();
    expect(await (await fetch(`${server.url}/bucket`)).text()).toMatch(/<Error>.*<Code>/s);
    await expectGone(server);
    await expect(fetch(server.url)).rejects.toThrow("fetch failed");
  });
});

describe("toxiproxy", async () => {
  const toxiproxy = await engine("toxiproxy");
  test.skipIf(toxiproxy.missing || toxiproxy.existing)("says its version until it is stopped", async () => {
    await using server = await toxiproxy.start();
    expect(await (await fetch(`${server.url}/version`)).json()).toHaveProperty("version");
    await expectGone(server);
  });
});

describe.for([15, 16, 18] as const)("PostgreSQL %i", async (major) => {
  const postgres = await engine(`postgres-${major}`);

  test.skipIf(postgres.missing || postgres.existing)("says its version until it is stopped", async () => {
    await using server = await postgres.start();
    expect(await sql(major, server, "show server_version")).toMatch(new RegExp(`^${major}\\.`));
    const extension = major === 15 ? "citext" : "vector";
    expect(await sql(major, server, `create extension ${extension}`)).toBe("CREATE EXTENSION");
    await expectGone(server);
  });

  test.skipIf(postgres.missing || postgres.existing || major !== 18)(
    "keeps its data in a given folder",
    async () => {
      const folder = await mkdtemp(join(tmpdir(), "memkeep-postgres-kept-"));
      try {
        await using first = await postgres.start({ folder });
        await sql(major, first, "create table kept as select 7 as n");
        await first.process?.kill("SIGKILL");
        await using second = await postgres.start({ folder });
        expect(await sql(major, second, "select n from kept")).toBe("7");
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  );
});

describe("FalkorDB", async () => {
  const falkordb = await engine("falkordb");
  test.skipIf(falkordb.missing || falkordb.existing)(
    "serves with and without a password until it is stopped",
    async () => {
      await using open = await falkordb.start();
      await ping(Number(new URL(open.url).port), undefined);
      await expectGone(open);
      await using closed = await falkordb.start({ password: "geheim" });
      await ping(Number(new URL(closed.url).port), "geheim");
      await expect(ping(Number(new URL(closed.url).port), "wrong")).rejects.toThrow("WRONGPASS");
      await expectGone(closed);
    },
  );
});

describe("Neo4j", async () => {
  const neo4j = await engine("neo4j");
  test.skipIf(neo4j.missing || neo4j.existing)("says its version until it is stopped", async () => {
    await using server = await neo4j.start();
    expect(await askVersion(Number(new URL(server.url).port), undefined)).toBe("Neo4j/5.26.19");
    await expectGone(server);
  });

  test.skipIf(neo4j.missing || neo4j.existing)("asks for a password when it is given one", async () => {
    await using server = await neo4j.start({ password: "long-enough" });
    await expect(askVersion(Number(new URL(server.url).port), "not-this-one")).rejects.toThrow(
      "Unauthorized",
    );
  });
});

describe("the qdrant-edge front", async () => {
  const qdrant = await engine("qdrant");

  test.skipIf(qdrant.missing || qdrant.existing)(
    "says the version it stands for until it is stopped",
    async () => {
      await using server = await qdrant.start();
      expect(await (await fetch(server.url)).json()).toMatchObject({ version: "1.18.3" });
      await expectGone(server);
    },
  );

  test.skipIf(qdrant.missing || qdrant.existing)("keeps its data when it is killed", async () => {
    const folder = await mkdtemp(join(tmpdir(), "memkeep-qdrant-kept-"));
    try {
      await using first = await qdrant.start({ folder });
      const points = [{ id: 1, vector: [0.5, 2], payload: { kept: true } }];
      await put(`${first.url}/collections/kept`, { vectors: { size: 2, distance: "Dot" } });
      await put(`${first.url}/collections/kept/points?wait=true`, { points });
      await first.process?.kill("SIGKILL");
      await using second = await qdrant.start({ folder });
      const found = await (await fetch(`${second.url}/collections/kept/points/1`)).json();
      expect(found).toMatchObject({ result: points[0] });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

async function put(url: string, body: unknown): Promise<void> {
  const answer = await fetch(url, { method: "PUT", body: JSON.stringify(body) });
  expect(answer.status, await answer.text()).toBe(200);
}

async function sql(major: 15 | 16 | 18, server: Server, statement: string): Promise<string> {
  const psql = join(await postgresPrograms(major), "psql");
  return (await run(psql, ["-XAt", "-c", statement, server.url])).trim();
}

/** Stops the server and expects that its process is gone. */
async function expectGone(server: Server): Promise<void> {
  await server.stop();
  expect(() => process.kill(server.process!.pid, 0)).toThrow("ESRCH");
}
