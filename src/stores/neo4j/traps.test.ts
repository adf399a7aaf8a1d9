/** Traps of Neo4j, by the numbers of the list that all stores share; connections that fail; writers at work. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer } from "node:tls";
import { promisify } from "node:util";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { engine } from "../../../test/engines/require.ts";
import type { Server } from "../../../test/engines/server.ts";
import { Proxy } from "../../../test/neo4j/proxy.ts";
import {
  TestDatabase,
  awkwardValues,
  fillAwkward,
  hostileNames,
  password,
} from "../../../test/neo4j/testing.ts";
import { silentObserver } from "../../domain/observer.ts";
import { systemClock } from "../../util/clock/clock.ts";
import type { TakenDump } from "../contract/dump-folder.ts";
import { takeDump } from "../contract/dump-folder.ts";
import { Client } from "./client.ts";
import { countGraph } from "./counts.ts";
import { neo4j } from "./index.ts";
import { quoteName } from "./names.ts";
import { readGraph } from "./read-graph.ts";
import { readParts } from "./view.ts";

const server = await engine("neo4j");
const toxiproxy = await engine("toxiproxy");
const isNightly = process.env["MEMKEEP_NIGHTLY"] === "1";

describe.skipIf(server.missing)("traps of Neo4j", () => {
  let database: TestDatabase;
  let awkward: TakenDump;
  beforeAll(async () => {
    database = await TestDatabase.start(server);
    await fillAwkward(database);
    awkward = await database.dump();
    await database.empty();
    await database.restore(awkward);
  });
  afterAll(() => database?.[Symbol.asyncDispose]());

  async function lines(file: string, { dump }: TakenDump = awkward): Promise<string[]> {
    return (await dump.contents()).get(file)!.toString("utf8").trimEnd().split("\n");
  }

  describe("values come back as the server itself says that they are", () => {
    let outcomes: ReadonlyMap<string, unknown>;
    beforeAll(async () => {
      const texts = (value: string): string =>
        `[x IN CASE WHEN valueType(${value}) STARTS WITH 'LIST' THEN ${value} ELSE [${value}] END | toStringOrNull(x)]`;
      const rows = awkwardValues.map(
        ([, expression], index) =>
          `MATCH (n:Value {id: $names[${index}]}) WITH n.v AS a, [x IN [${expression}] | x][0] AS b ` +
          `RETURN ${index} AS at, valueType(a) = valueType(b) AND (coalesce(a = b, false) OR ${texts("a")} = ${texts("b")}) AS same`,
      );
      const names = awkwardValues.map(([name]) => name);
      const found = await database.client.rows(rows.join(" UNION ALL "), { names }, (row) => [
        names[Number(row.get(0))]!,
        row.get(1) as unknown,
      ]);
      outcomes = new Map(found as [string, unknown][]);
    });
    it.each(awkwardValues.map(([name]) => name))("%s", (name) => {
      expect(outcomes.get(name)).toBe(true);
    });
  });

  it("23: 10,000 names of any characters (2,000 by day) come back from the server as they were, and none becomes a query", async () => {
    const piece = fc.oneof(
      fc.constantFrom(
        "`",
        "``",
        "\\",
        "\\u",
        "\\u0060",
        "\\U0060",
        "u0060",
        "u005C",
        "'",
        '"',
        "{",
        "}",
        "$",
        "//",
        "/*",
        "\n",
      ),
      fc.string({ unit: "grapheme", maxLength: 4 }),
      fc.string({ unit: "binary", maxLength: 4 }),
    );
    const name = fc
      .array(piece, { minLength: 1, maxLength: 8 })
      .map((pieces) => pieces.join(""))
      .filter((text) => text !== "" && !text.includes("\0") && text.isWellFormed());
    const before = await database.client.count("MATCH (n) RETURN count(n)");
    const names = [...hostileNames, ...fc.sample(name, { numRuns: isNightly ? 10_000 : 2000, seed: 7 })];
    for (let at = 0; at < names.length; at += 500) {
      const some = names.slice(at, at + 500);
      // The keys of a map are names, and leave nothing in the database.
      const query = `RETURN [${some.map((one) => `keys({${quoteName(one)}: 1})[0]`).join(", ")}]`;
      expect(await database.client.value(query)).toEqual(some);
    }
    expect(await database.client.count("MATCH (n) RETURN count(n)")).toBe(before);
    for (const bad of ["", "a\0b", "\ud800"]) {
      expect(() => quoteName(bad)).toThrow(expect.objectContaining({ code: "STORE_UNSUPPORTED" }));
    }
  });

  it("16, 17, 18: parallel relationships, loops, nodes without label and alike: each is there, and joined as it was", async () => {
    const edges = await lines("edges.jsonl");
    expect(edges.filter((line) => line.startsWith('{"key":["end","P","end"]'))).toHaveLength(4);
    expect(edges.filter((line) => /^\{"key":\["end","P",(?:"7"|\["7",1\])\]/.test(line))).toHaveLength(2);
    expect(await database.client.count("MATCH (n) WHERE labels(n) = [] RETURN count(n)")).toBe(2);
    const chain = "MATCH (a:Same {x: 1})-[:E]->(b:Same {x: 2})-[:E]->(c:Different) RETURN count(*)";
    expect(await database.client.count(chain)).toBe(1);
    const twins =
      "MATCH (b:Twin)-[:OF]->(:Other), (c:Twin)-[:OF {n: 1}]->(a:Twin) WHERE a <> b AND b <> c RETURN count(*)";
    expect(await database.client.count(twins)).toBe(1);
  });

  it("13: embeddings lie in files that NumPy opens, four bytes a number where that is exact, and other lists do not", async () => {
    const names = [...(await awkward.dump.contents()).keys()].filter((name) => name.endsWith(".npy"));
    const { collections } = JSON.parse((await awkward.dump.contents()).get("schema.json")!.toString()) as {
      collections: { vectors: { file: string; type: string; columns: number }[] }[];
    };
    const vectors = collections.flatMap((collection) => collection.vectors);
    expect(vectors.map(({ file }) => file).toSorted()).toEqual(names.toSorted());
    expect(vectors.map(({ type, columns }) => `${type}[${columns}]`)).toEqual(
      expect.arrayContaining(["f4[384]", "f8[384]", "f4[64]"]),
    );
    expect((await lines("nodes.jsonl")).some((line) => line.includes('"f4[77]"'))).toBe(false);
  });

  it("19: an id that is given out again while relationships are read joins no wrong nodes", async () => {
    await database.empty();
    const victims = "UNWIND range(1, 50) AS i CREATE (:Victim {id: 'v' + toString(i)})";
    const victimIds = () =>
      database.client.rows("MATCH (n:Victim) RETURN id(n)", {}, (row) => Number(row.get(0)));
    // How many nodes it takes until the server, which frees ids in the background, gives one of them again.
    await database.run(victims);
    const freed = new Set(await victimIds());
    await database.run("MATCH (n:Victim) DELETE n");
    let enough = 1;
    while (!freed.has(Number(await database.client.value("CREATE (n:Probe) RETURN id(n)")))) enough++;
    await database.run("CREATE (:Left {id: 'left'})", victims);
    let read: readonly number[] = [];
    const config = database.config();
    const context = await database.context();
    /** Deletes nodes that were read and makes others, before the relationships are read. */
    class Meddling extends Client {
      isDone = false;
      override async rows<Result>(...all: Parameters<Client["rows"]>): Promise<Result[]> {
        if (!this.isDone && all[0].startsWith("MATCH (s)-[n]->(t) WHERE")) {
          this.isDone = true;
          read = await victimIds();
          await database.run("MATCH (n:Victim) DETACH DELETE n");
          for (let at = 0; at < enough * 3; at++) {
            await database.run("MATCH (l:Left) CREATE (l)-[:JOINS]->(:New {id: 'new'})");
          }
        }
        return super.rows(...all) as Promise<Result[]>;
      }
    }
    await database.run("MATCH (l:Left) CREATE (l)-[:OLD]->(l)");
    await using client = new Meddling(config, config, context);
    await using graph = await readGraph(readParts(client, config, context, "records"));
    const found: string[] = [];
    for await (const chunk of graph.edges.lines()) found.push(...chunk.toString().trimEnd().split("\n"));
    expect(found.some((line) => line.includes('"OLD"'))).toBe(true);
    expect(found.filter((line) => /"JOINS","v/.test(line))).toEqual([]);
    expect(graph.moved).toBeGreaterThan(0);
    expect(read).toHaveLength(50);
    expect(
      (await database.client.rows("MATCH (n:New) RETURN id(n)", {}, (row) => Number(row.get(0)))).filter(
        (id) => read.includes(id),
      ),
    ).toEqual([]);
  });

  it("20, 21: writers at work: nothing that was there throughout is missing, and the manifest says how much moved", async () => {
    await database.empty();
    await database.run(
      "UNWIND range(1, 4000) AS i CREATE (:Stays {id: 's' + toString(i), n: i})",
      "UNWIND range(1, 400) AS i CREATE (:Goes {id: 'g' + toString(i)})",
      "MATCH (a:Stays), (b:Stays {n: a.n % 4000 + 1}) CREATE (a)-[:NEXT]->(b)",
    );
    let isOver = false;
    let written = 0;
    async function write(writer: number): Promise<void> {
      for (let at = 0; !isOver; at++) {
        await database.client.command(
          "CREATE (:Comes {id: $id}) WITH 1 AS one MATCH (a:Stays {n: $n}) SET a.touched = $n " +
            "WITH a OPTIONAL MATCH (g:Goes {id: $gone}) DETACH DELETE g CREATE (a)-[:OFTEN]->(:Comes {id: $id + 'x'})",
          { id: `c${writer}-${at}`, n: BigInt((at % 4000) + 1), gone: `g${writer * 200 + at}` },
        );
        written += 4;
      }
    }
    const writers = [write(0), write(1)];
    const dumps: TakenDump[] = [];
    for (let at = 0; at < 4; at++) dumps.push(await database.dump({ connections: 2 }));
    isOver = true;
    await Promise.all(writers);
    expect(written).toBeGreaterThan(200);
    for (const taken of dumps) {
      const facts = new Map(taken.manifest.collections.map(({ name, records }) => [name, records]));
      expect(facts.get("(:Stays)")).toBe(4000);
      expect(facts.get("[:NEXT]")).toBe(4000);
      expect(taken.manifest.view.consistency).toBe("fuzzy");
      expect(await neo4j.decode(taken.dump.source(taken.manifest), await database.context())).toEqual(
        taken.manifest.collections,
      );
    }
    expect(dumps.some(({ manifest }) => manifest.view.moved > 0)).toBe(true);
    expect((await database.dump()).manifest.view.moved).toBe(0);
  });

  it("3: a server that gives fewer records than it counts is an error, never a short dump", async () => {
    await database.empty();
    await database.run("UNWIND range(1, 100) AS i CREATE (:Memory {id: 'm' + toString(i)})");
    const config = database.config();
    const context = await database.context();
    class Short extends Client {
      override async rows<Result>(...all: Parameters<Client["rows"]>): Promise<Result[]> {
        const rows = (await super.rows(...all)) as Result[];
        return all[0].startsWith("MATCH (n) WHERE id(n) IN") ? rows.slice(1) : rows;
      }
    }
    await using client = new Short(config, config, context);
    await expect(readGraph(readParts(client, config, context, "facts"))).rejects.toMatchObject({
      code: "DUMP_INCOMPLETE",
    });
    expect((await countGraph(database.client)).nodes).toBe(100);
  });

  describe("connections", () => {
    const surroundings = { signal: new AbortController().signal, clock: systemClock };

    it("a wrong password, a database that is not there and a server that is not there are told in words", async () => {
      const open = async (settings: Readonly<Record<string, unknown>>): Promise<unknown> => {
        await using store = await database.store({ retryFor: "0s", ...settings });
        return await store.describe().catch((error: unknown) => error);
      };
      expect(await open({ password: "wrong-password" })).toMatchObject({
        code: "STORE_DENIED",
        next: expect.stringContaining("password") as string,
      });
      expect(String(await open({ password: "wrong-password" }))).not.toContain("wrong-password");
      expect(await open({ database: "nowhere" })).toMatchObject({ code: "STORE_MISSING" });
      expect(await open({ url: "bolt://127.0.0.1:1" })).toMatchObject({ code: "STORE_UNREACHABLE" });
      expect(
        await open({ username: undefined, password: undefined, auth: `neo4j/${password}` }),
      ).toMatchObject({
        engine: { name: "Neo4j Community" },
      });
    });

    it("neo4j:// routes, and TLS is checked: +ssc takes any certificate, caFile one of its own, +s only those that are signed", async () => {
      const { url } = database.config();
      const host = new URL(url).host;
      const folder = await mkdtemp(join(tmpdir(), "memkeep-tls-"));
      const [key, certificate] = [join(folder, "key.pem"), join(folder, "cert.pem")];
      const request = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost".split(" ");
      const names = [
        "-addext",
        "subjectAltName=DNS:localhost,IP:127.0.0.1",
        "-keyout",
        key,
        "-out",
        certificate,
      ];
      await promisify(execFile)("openssl", [...request, ...names]);
      const [keyBytes, certificateBytes] = await Promise.all([readFile(key), readFile(certificate)]);
      const proxy = createServer({ key: keyBytes, cert: certificateBytes }, (socket) => {
        const upstream = connect(Number(host.split(":")[1]), "127.0.0.1");
        socket.on("error", () => upstream.destroy());
        upstream.on("error", () => socket.destroy());
        socket.pipe(upstream).pipe(socket);
      });
      await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
      const address = proxy.address();
      const port = typeof address === "object" ? address!.port : 0;
      const version = async (settings: Readonly<Record<string, unknown>>): Promise<unknown> => {
        await using client = new Client(
          database.config({ retryFor: "0s" }),
          database.config(settings),
          surroundings,
        );
        return await client.value("RETURN 'reached'").catch((error: unknown) => error);
      };
      try {
        expect(await version({ url: `bolt+ssc://127.0.0.1:${port}` })).toBe("reached");
        expect(await version({ url: `bolt+s://127.0.0.1:${port}`, caFile: certificate })).toBe("reached");
        expect(await version({ url: `bolt+s://127.0.0.1:${port}` })).toMatchObject({
          code: "STORE_UNREACHABLE",
        });
      } finally {
        await new Promise((resolve) => {
          proxy.close(resolve);
        });
        await rm(folder, { recursive: true });
      }
    });
  });

  describe.skipIf(toxiproxy.missing)("over a network that fails", () => {
    const points = Array.from({ length: isNightly ? 60 : 20 }, (_, index) => index + 1);
    let proxies: Server;
    let proxy: Proxy;
    let whole: TakenDump;
    let wholeContents: Map<string, Buffer>;
    let cuts = 0;
    beforeAll(async () => {
      proxies = await toxiproxy.start();
      proxy = await Proxy.create(proxies.url, new URL(database.config().url).host);
      await database.empty();
      await database.run(
        "UNWIND range(1, 400) AS i CREATE (:Memory {id: 'm' + toString(i), content: 'a memory of some length, number ' + toString(i)})",
        "MATCH (a:Memory), (b:Memory) WHERE a.id = 'm1' OR b.id = 'm2' CREATE (a)-[:RELATES_TO {weight: 0.5}]->(b)",
      );
      whole = await database.dump();
      wholeContents = await whole.dump.contents();
    });
    afterAll(() => proxies?.stop());

    /** Behind the proxy, which heals as soon as a connection broke. */
    async function behind(): Promise<{
      store: ReturnType<typeof neo4j.connect>;
      healed: () => Promise<void>;
    }> {
      const heals: Promise<void>[] = [];
      const observer = { ...silentObserver, warn: (): void => void heals.push(proxy.heal()) };
      const context = { ...(await database.context()), observer };
      const store = neo4j.connect(database.config({ url: `bolt://${proxy.host}`, connections: 1 }), context);
      return { store, healed: async () => void (cuts += Math.sign((await Promise.all(heals)).length)) };
    }

    it.each(points)("a dump that is cut at point %i is tried again, and whole", async (point) => {
      const { store, healed } = await behind();
      await using _store = store;
      await store.describe();
      await proxy.limit("downstream", 3000 + Math.floor((point / points.length) * 150_000));
      const folder = join((await database.context()).spoolFolder, "graph");
      const taken = await takeDump(store, folder);
      await proxy.heal();
      await healed();
      expect(await taken.dump.contents()).toEqual(wholeContents);
    });

    it.each(points)("a restore that is cut at point %i goes on, whole and without doubles", async (point) => {
      await database.empty();
      const { store, healed } = await behind();
      await using _store = store;
      const source = whole.dump.source(whole.manifest);
      const options = { target: { kind: "in-place" }, force: false } as const;
      const plan = await store.planRestore(source, options);
      await using restoration = await store.stage(plan, source, options);
      const stream = point % 2 === 0 ? "upstream" : "downstream";
      await proxy.limit(
        stream,
        1000 + Math.floor((point / points.length) * (stream === "upstream" ? 120_000 : 12_000)),
      );
      await restoration.switch();
      await proxy.heal();
      await healed();
      expect(await restoration.facts()).toEqual(whole.manifest.collections);
      expect(await database.client.count("MATCH (n) RETURN count(n)")).toBe(400);
    });

    it("most of those points were within the work", () => {
      expect(cuts).toBeGreaterThan(points.length);
    });

    it("a server that stays away fails the dump in words, and is never a short one", async () => {
      await using store = await database.store({ url: `bolt://${proxy.host}`, retryFor: "200ms" });
      await using view = await store.open();
      await proxy.enable(false);
      try {
        const folder = join((await database.context()).spoolFolder, "graph");
        await expect(
          view.dump({ file: () => Promise.reject(new Error(`nothing is stored in ${folder}`)) }),
        ).rejects.toMatchObject({ code: "STORE_UNREACHABLE" });
      } finally {
        await proxy.enable(true);
      }
    });
  });
});
