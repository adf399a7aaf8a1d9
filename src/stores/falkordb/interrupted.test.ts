/** Server or program killed in each phase: the graph is as it was, the next run works, and nothing stays for ever. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { engine } from "../../../test/engines/require.ts";
import { Proxy } from "../../../test/falkordb/proxy.ts";
import type { Fate } from "../../../test/falkordb/proxy.ts";
import { TestServer } from "../../../test/falkordb/testing.ts";
import type { TakenDump } from "../contract/dump-folder.ts";
import { scratchPrefix } from "./scratch.ts";

const falkordb = await engine("falkordb");
const program = fileURLToPath(new URL("../../../test/falkordb/killed-run.ts", import.meta.url));

/** Phases by an order that begins them. */
const dumpPhases = ["GRAPH.COPY", "PEXPIRE", "RETURN n", "RETURN e", "UNLINK"];
const restorePhases = ["CREATE (n:", "CREATE (x", "CREATE (s)", "INDEX FOR", "CONSTRAINT", "EXEC"];

const graph = "memories";

async function fill(server: TestServer): Promise<TakenDump> {
  await server.query(graph, "UNWIND range(1, 200) AS i CREATE (:M {id:i, v:vecf32([i, i/3.0])})");
  await server.query(graph, "MATCH (a:M), (b:M {id:7}) CREATE (a)-[:R {w:0.1+0.2}]->(b)");
  await server.query(graph, "CREATE INDEX FOR (n:M) ON (n.id)");
  const constraint = ["CREATE", graph, "UNIQUE", "NODE", "M", "PROPERTIES", "1", "id"];
  await server.session.command("GRAPH.CONSTRAINT", ...constraint);
  const taken = await server.dump(graph);
  await server.query(graph, "CREATE (:M {id:'since'})");
  return taken;
}

/** The next backup works and shows the graph as it was; what the dead run left has an end then. */
async function expectUnharmed(server: TestServer, old: ReadonlyMap<string, Buffer>): Promise<void> {
  expect(await (await server.dump(graph)).dump.contents()).toEqual(old);
  for (const key of (await server.keys()).filter((name) => name.startsWith(scratchPrefix)))
    expect(Number(await server.session.command("PTTL", key))).toBeGreaterThan(0);
}

describe.skipIf(falkordb.missing || falkordb.existing)("killed in the middle", () => {
  test("the server, in each phase of a dump and of a restore", async () => {
    const folder = await mkdtemp(join(tmpdir(), "memkeep-falkordb-data-"));
    const settings = { appendonly: "yes" };
    try {
      let running = await falkordb.start({ folder, settings });
      // Keeps the dump while servers come and go.
      await using first = await TestServer.start({ url: running.url, stop: () => Promise.resolve() });
      const taken = await fill(first);
      const old = await (await first.dump(graph)).dump.contents();
      let server = await TestServer.start(running);
      for (const phase of [...dumpPhases, ...restorePhases]) {
        let isDead = false;
        const request = async (bytes: Buffer): Promise<Fate> => {
          if (isDead || !bytes.includes(phase)) return isDead ? "lost" : "pass";
          isDead = true;
          await running.process!.kill("SIGKILL");
          return "lost";
        };
        await using proxy = await Proxy.start(running.url, { request });
        const at = { url: proxy.url, retryFor: "100ms" };
        const work = async (): Promise<void> => {
          if (dumpPhases.includes(phase)) {
            await server.dump(graph, at);
            return;
          }
          await using store = await server.connect(graph, at);
          const source = taken.dump.source(taken.manifest);
          const options = { target: { kind: "in-place" }, force: false } as const;
          const plan = await store.planRestore(source, options);
          await using restoration = await store.stage(plan, source, options);
          await restoration.switch();
        };
        // A copy that cannot be removed any more does not make a whole dump worthless.
        if (phase === "UNLINK") await work().catch(() => undefined);
        else await expect(work(), phase).rejects.toMatchObject({ code: "STORE_UNREACHABLE" });
        expect(isDead, phase).toBe(true);
        await server[Symbol.asyncDispose]();
        running = await falkordb.start({ folder, settings });
        server = await TestServer.start(running);
        await expectUnharmed(server, old);
      }
      await server[Symbol.asyncDispose]();
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  test("the program, in phases of a dump and of a restore", async () => {
    await using server = await TestServer.start(await falkordb.start());
    const { dump, manifest } = await fill(server);
    const old = await (await server.dump(graph)).dump.contents();
    const what = JSON.stringify({ manifest, folder: dump.folder });
    for (const phase of ["GRAPH.COPY", "RETURN e", "CREATE (n:", "CREATE (s)", "EXEC"]) {
      const work = dumpPhases.includes(phase) ? "dump" : "restore";
      let isDead = false;
      const request = (bytes: Buffer): Fate => {
        if (isDead || !bytes.includes(phase)) return "pass";
        isDead = true;
        child.kill("SIGKILL");
        // What it had sent is done all the same.
        return "late";
      };
      await using proxy = await Proxy.start(server.url, { request });
      const child = spawn(process.execPath, [program, proxy.url, graph, work, what], { stdio: "ignore" });
      await once(child, "exit");
      expect(isDead, phase).toBe(true);
      // A transaction goes with its connection, so that one is not delivered whole.
      if (phase !== "EXEC") await proxy.deliverLate();
      await expectUnharmed(server, old);
    }
  });
});
