/** Who may connect, with which rights, to which kind of server. */
import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { createServer as createTlsServer } from "node:tls";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { engine } from "../../../test/engines/require.ts";
import { TestServer, fill } from "../../../test/falkordb/testing.ts";
import { scratchPrefix } from "./scratch.ts";

const falkordb = await engine("falkordb");

/** The commands in one row of the readme's table of rights, as words of ACL SETUSER. */
async function rights(row: string): Promise<string[]> {
  const readme = await readFile(new URL("readme.md", import.meta.url), "utf8");
  const line = readme.split("\n").find((text) => text.startsWith(`| ${row} |`))!;
  return [...line.matchAll(/`([A-Z._ ]+)`/g)].map(([, command]) => `+${command!.replace(" ", "|")}`);
}

const keys = ["~memories", `~${scratchPrefix}*`, `~telemetry{${scratchPrefix}*`];

describe.skipIf(falkordb.missing || falkordb.existing)("access to FalkorDB", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await TestServer.start(await falkordb.start());
    await fill(server.session, "memories", [
      "UNWIND range(0, 50) AS i CREATE (:Memory {id:'m'+toString(i), importance:i/7.0, embedding:vecf32([i, i/3.0])})",
      "MATCH (a:Memory), (b:Memory {id:'m0'}) CREATE (a)-[:RELATES_TO {strength:0.1+0.2}]->(b)",
      "CREATE FULLTEXT INDEX FOR (n:Memory) ON (n.text)",
    ]);
    const constraint = ["MANDATORY", "NODE", "Memory", "PROPERTIES", "1", "id"];
    await server.session.command("GRAPH.CONSTRAINT", "CREATE", "memories", ...constraint);
  });
  afterAll(() => server[Symbol.asyncDispose]());

  async function user(name: string, ...words: string[]): Promise<{ username: string; password: string }> {
    await server.session.command("ACL", "SETUSER", name, "reset", "on", ">secret", ...words);
    return { username: name, password: "secret" };
  }

  test("the rights that the readme lists for reading are enough, and each of them is needed", async () => {
    const least = await rights("backup of the living graph");
    expect(least).toHaveLength(3);
    const whole = await server.dump("memories");
    const reader = await user("reader", "~memories", ...least);
    const { dump, manifest } = await server.dump("memories", { ...reader, view: "live" });
    expect(manifest.view).toMatchObject({ consistency: "fuzzy", moved: 0 });
    const [mine, all] = [await dump.contents(), await whole.dump.contents()];
    for (const name of ["nodes.jsonl", "edges.jsonl"]) expect(mine.get(name), name).toEqual(all.get(name));
    for (const right of least) {
      const weaker = await user("weaker", "~memories", ...least.filter((other) => other !== right));
      const dumped = server.dump("memories", { ...weaker, view: "live" });
      await expect(dumped, right).rejects.toMatchObject({ code: "STORE_DENIED" });
    }
  });

  test("with those for a copy the backup is a snapshot, of nothing but the graph's own keys", async () => {
    const rows = ["backup of the living graph", "for a full report", "backup from a copy"];
    const all = (await Promise.all(rows.map(rights))).flat();
    const copier = await user("copier", ...keys, ...all);
    const { dump, manifest } = await server.dump("memories", copier);
    expect(manifest.view.consistency).toBe("snapshot");
    expect(manifest.omitted.map(({ what }) => what)).not.toContain("libraries of user-defined functions");
    expect(await dump.contents()).toEqual(await (await server.dump("memories")).dump.contents());
    expect((await server.keys()).filter((key) => key.includes(scratchPrefix))).toEqual([]);
    // The example in the readme.
    const readme = await readFile(new URL("readme.md", import.meta.url), "utf8");
    const [, example] = /ACL SETUSER backup on >PASSWORD (.*)`/.exec(readme)!;
    const exemplary = await user("exemplary", ...example!.split(" "));
    expect((await server.dump("memories", exemplary)).manifest.view.consistency).toBe("snapshot");
  });

  test("with those for a restore it restores, merges and repairs; without one it says which", async () => {
    const rows = ["backup of the living graph", "for a full report", "backup from a copy"];
    const reading = (await Promise.all(rows.map(rights))).flat();
    const writing = await rights("restore, merge, repair");
    const all = [...keys, "~memkeep-replaced-*", ...reading, ...writing];
    const restorer = await user("restorer", ...all);
    const taken = await server.dump("memories");
    const source = taken.dump.source(taken.manifest);
    await using store = await server.connect("memories", restorer);
    for (const mode of ["replace", "merge"] as const) {
      const options = { target: { kind: "in-place" }, force: false, mode } as const;
      await server.query("memories", "MATCH (n:Memory {id:'m5'}) SET n.importance = 0.1");
      const plan = await store.planRestore(source, options);
      await using restoration = await store.stage(plan, source, options);
      await restoration.switch();
      await restoration.keep();
      expect((await server.dump("memories")).manifest.collections).toEqual(taken.manifest.collections);
    }
    await server.query("memories", "MATCH (n:Memory {id:'m5'}) SET n.importance = 0.1");
    {
      await using view = await (await server.connect("memories")).open();
      await store.write("Memory", view.records("Memory", [Buffer.from("m5")]));
    }
    const options = { target: { kind: "in-place" }, force: false } as const;
    for (const right of writing.filter((word) => word !== "+EXISTS" && word !== "+GRAPH.UDF|LOAD")) {
      const name = right.slice(1);
      const weaker = await user("weaker", ...all.filter((word) => word !== right));
      await using weak = await server.connect("memories", weaker);
      const work = async (): Promise<void> => {
        const plan = await weak.planRestore(source, options);
        await using restoration = await weak.stage(plan, source, options);
        await restoration.switch();
      };
      await expect(work(), right).rejects.toMatchObject({
        code: "STORE_DENIED",
        message: expect.stringContaining(`may not run ${name}`) as string,
      });
      expect((await server.dump("memories")).manifest.collections.length).toBe(
        taken.manifest.collections.length,
      );
    }
    await server.session.command("ACL", "SETUSER", "weaker", "reset");
    // What they left ends by itself.
    for (const key of (await server.keys()).filter((key) => key.startsWith(scratchPrefix)))
      await server.session.command("UNLINK", key);
  });

  test("a password in the URL, in the settings, and a wrong one", async () => {
    await using guarded = await TestServer.start(await falkordb.start({ password: "p@ss/w:rd" }));
    await guarded.query("g", "CREATE (:M {id:'1'})");
    const bare = new URL(guarded.url);
    bare.username = "";
    bare.password = "";
    const url = bare.href.replace(/\/$/, "");
    for (const settings of [
      {},
      { url, password: "p@ss/w:rd" },
      { url, username: "default", password: "p@ss/w:rd" },
    ])
      expect((await guarded.dump("g", settings)).manifest.collections).toHaveLength(1);
    for (const settings of [{ url }, { url, password: "wr0ng" }]) {
      const failure = await guarded.dump("g", settings).catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: "STORE_DENIED" });
      expect(JSON.stringify(failure) + String(failure)).not.toContain("wr0ng");
    }
  });

  test("rediss:// is read with caFile, and refused for a certificate that nobody knows", async () => {
    const fixtures = new URL("../../../test/fixtures/tls/", import.meta.url);
    const cert = new URL("cert.pem", fixtures);
    const tls = { key: await readFile(new URL("key.pem", fixtures)), cert: await readFile(cert) };
    // The server that PyPI has is built without TLS: a front does it, as most installations have it.
    const front = createTlsServer(tls, (socket) => {
      const upstream = connect(Number(new URL(server.url).port), "127.0.0.1");
      socket.pipe(upstream).pipe(socket);
      socket.on("error", () => upstream.destroy());
      upstream.on("error", () => socket.destroy());
    });
    front.on("tlsClientError", () => undefined).listen(0, "127.0.0.1");
    await once(front, "listening");
    try {
      const url = `rediss://127.0.0.1:${(front.address() as AddressInfo).port}`;
      const { manifest } = await server.dump("memories", { url, caFile: fileURLToPath(cert) });
      expect(manifest.view.consistency).toBe("snapshot");
      const stranger = server.dump("memories", { url, retryFor: "100ms" });
      await expect(stranger).rejects.toMatchObject({
        code: "STORE_UNREACHABLE",
        message: expect.stringMatching(/certificate/) as string,
      });
    } finally {
      front.close();
    }
  });

  test("a replica is read as it lives, and takes no restore", async () => {
    // Before it has a replica: GRAPH.COPY on a primary that has just sent one its data sometimes never answers.
    const whole = await (await server.dump("memories")).dump.contents();
    const replicaof = `127.0.0.1 ${new URL(server.url).port}`;
    await using replica = await TestServer.start(await falkordb.start({ settings: { replicaof } }));
    // The primary is asked: a replica that loads may leave a question unanswered.
    const replication = async (): Promise<string> =>
      String(await server.session.command("INFO", "replication"));
    await expect.poll(replication, { timeout: 60_000 }).toMatch(/slave0:.*state=online/);
    const taken = await replica.dump("memories", { view: "live" });
    expect(taken.manifest.view).toMatchObject({ moved: 0 });
    expect(await taken.dump.contents()).toEqual(whole);
    await expect(replica.dump("memories", { view: "copy" })).rejects.toThrow(/replica/);
    await expect(replica.restore(taken, "other")).rejects.toMatchObject({
      code: "TARGET_IN_USE",
      message: expect.stringContaining("is a replica") as string,
    });
  });

  test("a cluster gets a clear answer, whatever is asked", async () => {
    const settings = { "cluster-enabled": "yes" };
    await using cluster = await TestServer.start(await falkordb.start({ settings }));
    const taken = await server.dump("memories", { view: "live" });
    await using store = await cluster.connect("memories");
    for (const work of [store.describe(), store.open(), cluster.restore(taken, "other")]) {
      await expect(work).rejects.toMatchObject({
        code: "STORE_UNSUPPORTED",
        message: expect.stringContaining("Redis cluster") as string,
      });
    }
    expect((await store.probe()).map(({ status }) => status)).toContain("unknown");
  });
});
