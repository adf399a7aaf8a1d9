/** What a killed run leaves behind, and how the next one deals with it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { engine } from "../../../test/engines/require.ts";
import { openSession } from "./client.ts";
import { schema } from "./config.ts";
import { resolveConnection } from "./connection.ts";
import { refuseConnections } from "./swap.ts";
import {
  connectTo,
  countMemories,
  leftBehind,
  recordingObserver,
  sample,
  sql,
  useBench,
} from "../../../test/postgres/testing.ts";

const postgres16 = await engine("postgres-16");
const target = fileURLToPath(new URL("../../../test/postgres/killed-restore.ts", import.meta.url));

describe.skipIf(postgres16.missing)("killed runs", () => {
  const bench = useBench(() => postgres16.start());
  const { connect, dumped } = bench;

  it("a killed restore leaves a marked scratch database that doctor finds and maintenance removes, and nothing else", async () => {
    await using database = await sample(bench.server.url);
    await using store = await connect(database.url);
    const { dump, manifest } = await dumped(store);
    const killed = spawn(
      process.execPath,
      [target, database.url, JSON.stringify({ manifest, folder: dump.folder })],
      { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, TMPDIR: bench.spool.folder } },
    );
    const [news] = (await Promise.race([once(killed.stdout, "data"), once(killed, "exit")])) as [unknown];
    expect(String(news)).toBe("half\n");
    killed.kill("SIGKILL");
    await once(killed, "exit");
    const scratch = async (): Promise<unknown[]> =>
      sql(bench.server.url, "SELECT datname FROM pg_database WHERE datname LIKE 'memkeep_scratch%'");
    // pg_restore sees its input end and goes.
    while ((await leftBehind(bench.server.url)).length > 1)
      await sql(bench.server.url, "SELECT pg_sleep(0.05)");
    expect(await scratch()).toHaveLength(1);
    expect(await countMemories(database.url)).toBe(202);
    const probe = (await store.probe()).find(({ name }) => name === "scratch databases");
    expect(probe).toMatchObject({ status: "warning" });
    expect(probe!.text).toMatch(/memkeep_scratch_[0-9a-f]+ \(memkeep-postgres-\S+ \d{4}-/);
    await sql(bench.server.url, "CREATE DATABASE memkeep_scratch_not_ours");
    const cleanup = (await store.maintenance()).find(({ name }) => name === "cleanup")!;
    expect(await cleanup.run()).toMatch(/^dropped memkeep_scratch_[0-9a-f]+$/);
    expect(await scratch()).toEqual([{ datname: "memkeep_scratch_not_ours" }]);
    await sql(bench.server.url, "DROP DATABASE memkeep_scratch_not_ours");
  });

  it("a database that a killed switch left closed is opened again by the next run; one that somebody closed is not", async () => {
    await using database = await sample(bench.server.url);
    const observer = recordingObserver();
    await using store = await connectTo(database.url, 16, bench.spool.context({ observer }));
    {
      await using maintenance = await openSession(
        resolveConnection(schema.parse({ url: bench.server.url }), {}),
        schema.parse({}),
        bench.spool.context(),
      );
      await refuseConnections(maintenance, database.name);
    }
    await expect(sql(database.url, "SELECT 1")).rejects.toThrow(/not currently accepting/);
    await (await store.open())[Symbol.asyncDispose]();
    expect(observer.texts).toEqual([expect.stringContaining("killed while it switched")]);
    expect(await countMemories(database.url)).toBe(202);
    await sql(bench.server.url, `ALTER DATABASE "${database.name}" ALLOW_CONNECTIONS false`);
    await expect(store.open()).rejects.toThrow(/not currently accepting/);
    await sql(bench.server.url, `ALTER DATABASE "${database.name}" ALLOW_CONNECTIONS true`);
  });
});
