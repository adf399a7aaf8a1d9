/** Restores that must not go wrong, on two servers of Community Edition. */
import { readdir } from "node:fs/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { engine } from "../../../test/engines/require.ts";
import { TestDatabase, password } from "../../../test/neo4j/testing.ts";
import type { TakenDump } from "../contract/dump-folder.ts";
import type { DumpSource, RestoreOptions } from "../store.ts";
import { setMarker } from "./marker.ts";
import { readSchema } from "./schema.ts";

const server = await engine("neo4j");
const inPlace: RestoreOptions = { target: { kind: "in-place" }, force: false };

describe.skipIf(server.missing)("restoring Neo4j", () => {
  let database: TestDatabase;
  let beside: TestDatabase;
  beforeAll(async () => {
    [database, beside] = await Promise.all([TestDatabase.start(server), TestDatabase.start(server)]);
  });
  beforeEach(() => database.empty());
  afterAll(async () => {
    await database?.[Symbol.asyncDispose]();
    await beside?.[Symbol.asyncDispose]();
  });

  async function people(): Promise<void> {
    await database.run(
      "CREATE CONSTRAINT name FOR (n:Person) REQUIRE n.name IS UNIQUE",
      "CREATE (a:Person {id: 'a', name: 'Ada'}), (b:Person {id: 'b', name: 'Ben'}), (a)-[:KNOWS {since: 1}]->(b), (a)-[:KNOWS {since: 2}]->(b)",
    );
  }

  /** The dump with another `schema.json`. */
  function withSchema({ dump, manifest }: TakenDump, change: (schema: Schema) => void): DumpSource {
    const source = dump.source(manifest);
    return {
      manifest: source.manifest,
      async *read(name, range) {
        const parts: Buffer[] = [];
        for await (const part of source.read(name, range)) parts.push(part);
        const bytes = Buffer.concat(parts);
        if (name !== "schema.json") yield bytes;
        else {
          const layout = JSON.parse(bytes.toString()) as { schema: Schema };
          change(layout.schema);
          yield Buffer.from(JSON.stringify(layout));
        }
      },
    };
  }
  interface Schema {
    indexes: object[];
    constraints: object[];
  }

  it("26: an index that fails is an error, and all that was changed is taken back", async () => {
    await people();
    const taken = await database.dump();
    await database.run(`CREATE (:Long {id: 'long', text: '${"x".repeat(9000)}'})`);
    const long = await database.dump();
    await database.restore(taken);
    const source = withSchema(long, ({ indexes }) =>
      indexes.push({
        name: "too_long",
        type: "RANGE",
        entity: "NODE",
        labelsOrTypes: ["Long"],
        properties: ["text"],
        provider: "range-1.0",
        config: {},
      }),
    );
    await using store = await database.store();
    const plan = await store.planRestore(source, inPlace);
    await using restoration = await store.stage(plan, source, inPlace);
    await expect(restoration.switch()).rejects.toMatchObject({ code: "COMPARE_FAILED" });
    await restoration.rollBack();
    const after = await database.dump();
    expect(await after.dump.contents()).toEqual(await taken.dump.contents());
    expect(after.manifest.warnings).toEqual([]);
  });

  it("4: a dump names an index that has failed on the server, and does not keep it", async () => {
    await database.run(
      `CREATE (:Long {text: '${"x".repeat(9000)}'})`,
      "CREATE RANGE INDEX too_long FOR (n:Long) ON (n.text)",
    );
    await database.run("CALL db.awaitIndexes(60)").catch(() => undefined);
    const { manifest } = await database.dump();
    expect(manifest.warnings).toEqual([expect.stringContaining("too_long")]);
    await using store = await database.store();
    expect(await store.probe()).toContainEqual(
      expect.objectContaining({ name: "indexes", status: "critical" }),
    );
  });

  it("27: constraints that Community Edition lacks are named in the plan, refused, and left out when that is accepted", async () => {
    await people();
    const taken = await database.dump();
    const source = withSchema(taken, ({ constraints }) =>
      constraints.push(
        { name: "must", type: "EXISTENCE", entity: "NODE", labelsOrTypes: ["Person"], properties: ["name"] },
        {
          name: "typed",
          type: "PROPERTY_TYPE",
          entity: "RELATIONSHIP",
          labelsOrTypes: ["KNOWS"],
          properties: ["since"],
          propertyType: "INTEGER",
        },
      ),
    );
    await using store = await database.store();
    const plan = await store.planRestore(source, inPlace);
    expect(plan.obstacles).toEqual([
      { overridable: true, text: expect.stringContaining('existence "must" on (:Person {name})') as string },
      {
        overridable: true,
        text: expect.stringContaining('property type "typed" on [:KNOWS {since}]') as string,
      },
    ]);
    await expect(store.stage(plan, source, inPlace)).rejects.toMatchObject({ code: "TARGET_IN_USE" });
    const forced = { ...inPlace, force: true };
    await using restoration = await store.stage(plan, source, forced);
    const { warnings } = await restoration.switch();
    expect(warnings).toHaveLength(2);
    const { schema } = await readSchema(database.client);
    expect(schema.constraints.map(({ name }) => name)).toEqual(["name"]);
  });

  it("27: a dump with properties of the type VECTOR is refused by a server that cannot hold them", async () => {
    await people();
    const source = withSchema(await database.dump(), (schema) =>
      Object.assign(schema, { holdsVectorType: true }),
    );
    await using store = await database.store();
    const { obstacles } = await store.planRestore(source, { ...inPlace, force: true });
    expect(obstacles).toEqual([{ overridable: false, text: expect.stringContaining("VECTOR") as string }]);
  });

  it("26: unique values that change places between nodes come back", async () => {
    await people();
    const taken = await database.dump();
    await database.run(
      "MATCH (n:Person {id: 'a'}) SET n.name = 'x'",
      "MATCH (n:Person {id: 'b'}) SET n.name = 'Ada'",
      "MATCH (n:Person {id: 'a'}) SET n.name = 'Ben'",
    );
    await database.restore(taken);
    expect(await (await database.dump()).dump.contents()).toEqual(await taken.dump.contents());
  });

  it("33: what differs is only changed; what is extra goes, with its stale properties and labels", async () => {
    await people();
    const taken = await database.dump();
    const [before] = await ids();
    await database.run(
      "MATCH (n:Person {id: 'a'}) SET n.stale = 1, n:Stale",
      "MATCH (a:Person {id: 'a'}), (b:Person {id: 'b'}) CREATE (a)-[:KNOWS {since: 3}]->(b)-[:NEW]->(:Extra {id: 'c'})",
      "CREATE INDEX extra FOR (n:Extra) ON (n.id)",
    );
    await database.restore(taken);
    expect(await (await database.dump()).dump.contents()).toEqual(await taken.dump.contents());
    // The node itself was not replaced.
    expect((await ids())[0]).toBe(before);
  });

  async function ids(): Promise<number[]> {
    return database.client.rows("MATCH (n:Person) RETURN id(n) ORDER BY n.id", {}, (row) =>
      Number(row.get(0)),
    );
  }

  it("merge inserts and updates, deletes nothing, and compares the dump's records alone", async () => {
    await people();
    const taken = await database.dump();
    await database.run(
      "MATCH (n:Person {id: 'b'}) DETACH DELETE n",
      "MATCH (n:Person {id: 'a'}) SET n.name = 'Eve'",
      "CREATE (:Extra {id: 'c'})-[:OF]->(:Extra {id: 'd'})",
    );
    const options = { ...inPlace, mode: "merge" } as const;
    await using store = await database.store();
    const source = taken.dump.source(taken.manifest);
    const plan = await store.planRestore(source, options);
    await using restoration = await store.stage(plan, source, options);
    await restoration.switch();
    expect(await restoration.facts()).toEqual(taken.manifest.collections);
    expect(await database.client.count("MATCH (n:Extra)-[:OF]->(:Extra) RETURN count(n)")).toBe(1);
    expect(await database.client.count("MATCH (n:Person) RETURN count(n)")).toBe(2);
    expect(await database.client.count("MATCH ()-[r:KNOWS]->() RETURN count(r)")).toBe(2);
    await restoration.rollBack();
    expect(await database.client.count("MATCH (n:Person {name: 'Eve'}) RETURN count(n)")).toBe(1);
    expect(await database.client.count("MATCH (n) RETURN count(n)")).toBe(3);
  });

  it("law 5: what came after the plan and before the switch is not deleted: nothing is changed", async () => {
    await people();
    const taken = await database.dump();
    await using store = await database.store();
    const source = taken.dump.source(taken.manifest);
    const plan = await store.planRestore(source, inPlace);
    await using restoration = await store.stage(plan, source, inPlace);
    await database.run("CREATE (:Person {id: 'new', name: 'New'})");
    await expect(restoration.switch()).rejects.toMatchObject({ code: "STORE_CHANGED" });
    await restoration.rollBack();
    expect(await database.client.count("MATCH (n:Person) RETURN count(n)")).toBe(3);
  });

  it("--into takes an empty database only, and another server", async () => {
    await people();
    const taken = await database.dump();
    await beside.empty();
    await beside.run("CREATE (:Theirs)");
    const options: RestoreOptions = { target: { kind: "into", target: beside.url }, force: true };
    await expect(database.restore(taken, options)).rejects.toMatchObject({ code: "TARGET_IN_USE" });
    await beside.empty();
    await database.restore(taken, options);
    expect(await (await beside.dump()).dump.contents()).toEqual(await taken.dump.contents());
  });

  it("a drill without a scratch server is refused in words, and never touches the store or data of others", async () => {
    await people();
    const taken = await database.dump();
    const source = taken.dump.source(taken.manifest);
    const drill: RestoreOptions = { target: { kind: "scratch" }, force: true };
    await using without = await database.store();
    await expect(without.planRestore(source, drill)).rejects.toMatchObject({ code: "STORE_UNSUPPORTED" });
    await using itself = await database.store({ scratch: { url: database.config().url } });
    expect((await itself.planRestore(source, drill)).obstacles).toEqual([
      { overridable: false, text: "the scratch database is the store itself" },
    ]);
    await beside.empty();
    await beside.run("CREATE (:Theirs)");
    await using theirs = await database.store({
      scratch: { url: beside.config().url, auth: `neo4j/${password}` },
    });
    const plan = await theirs.planRestore(source, drill);
    await expect(theirs.stage(plan, source, drill)).rejects.toMatchObject({ code: "TARGET_IN_USE" });
    expect(await beside.client.count("MATCH (n:Theirs) RETURN count(n)")).toBe(1);
    // What a killed drill left is its own, and removed by the next.
    await setMarker(beside.client, { purpose: "scratch", since: "2026-01-01T00:00:00.000Z" });
    await using again = await theirs.stage(await theirs.planRestore(source, drill), source, drill);
    expect(await again.facts()).toEqual(taken.manifest.collections);
    await again[Symbol.asyncDispose]();
    expect(await beside.client.count("MATCH (n) RETURN count(n)")).toBe(0);
  });

  it("47: the mark of a killed restore is found by checks, in no dump, and removed by the next restore or by maintenance", async () => {
    await people();
    const taken = await database.dump();
    const mark = { purpose: "restore", since: "2026-01-01T00:00:00.000Z" } as const;
    await setMarker(database.client, mark);
    await using store = await database.store();
    expect(await store.probe()).toContainEqual(
      expect.objectContaining({ name: "restore", status: "critical" }),
    );
    const marked = await database.dump();
    expect(await marked.dump.contents()).toEqual(await taken.dump.contents());
    expect(marked.manifest.warnings).toEqual([expect.stringContaining("2026-01-01") as string]);
    const source = taken.dump.source(taken.manifest);
    expect((await store.planRestore(source, inPlace)).actions[0]).toContain("2026-01-01");
    await database.restore(taken);
    expect((await database.dump()).manifest.warnings).toEqual([]);
    await setMarker(database.client, mark);
    const [cleanup] = await store.maintenance();
    expect(await cleanup!.run()).toContain("stays as it is");
    expect(await database.client.count("MATCH (n) RETURN count(n)")).toBe(2);
  });

  it("refuses a dump whose relationships name nodes that it lacks, before it touches anything", async () => {
    await people();
    const taken = await database.dump();
    const good = taken.dump.source(taken.manifest);
    const source: DumpSource = {
      manifest: good.manifest,
      async *read(name, range) {
        for await (const part of good.read(name, range)) {
          yield Buffer.from(part.toString("latin1").replaceAll('"KNOWS","b"]', '"KNOWS","z"]'), "latin1");
        }
      },
    };
    await database.run("MATCH (n) DETACH DELETE n");
    await using store = await database.store();
    const plan = await store.planRestore(source, inPlace);
    await expect(store.stage(plan, source, inPlace)).rejects.toMatchObject({ code: "DUMP_DAMAGED" });
    expect(await database.client.count("MATCH (n) RETURN count(n)")).toBe(0);
  });

  it("an interrupt in the middle takes everything back, and leaves no spool files", async () => {
    await database.run("UNWIND range(1, 3000) AS i CREATE (:Memory {id: 'm' + toString(i), n: i})");
    const taken = await database.dump();
    await database.run("MATCH (n:Memory) SET n.n = -n.n");
    const changed = await database.dump();
    const interrupt = new AbortController();
    const context = await database.context(interrupt.signal);
    let isSwitching = false;
    const observer = {
      ...context.observer,
      progress: (): void => {
        if (isSwitching) interrupt.abort(new Error("interrupted"));
      },
    };
    const { neo4j } = await import("./index.ts");
    await using store = neo4j.connect(database.config(), { ...context, observer });
    const source = taken.dump.source(taken.manifest);
    const plan = await store.planRestore(source, inPlace);
    {
      await using restoration = await store.stage(plan, source, inPlace);
      isSwitching = true;
      await expect(restoration.switch()).rejects.toThrow("interrupted");
      await restoration.rollBack();
    }
    expect(await (await database.dump()).dump.contents()).toEqual(await changed.dump.contents());
    expect(await readdir(context.spoolFolder)).toEqual([]);
  });
});
