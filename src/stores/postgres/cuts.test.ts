/** The network between memkeep and the server is cut at many points of a dump and of a restore, by Toxiproxy. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { engine } from "../../../test/engines/require.ts";
import type { Server } from "../../../test/engines/server.ts";
import { ToxicProxy } from "../../../test/engines/toxiproxy/proxy.ts";
import { isMemkeepError } from "../../domain/errors.ts";
import type { TakenDump } from "../contract/dump-folder.ts";
import type { RestoreOptions, Store } from "../store.ts";
import {
  type TestDatabase,
  countMemories,
  createDatabase,
  leftBehind,
  sql,
  useBench,
} from "../../../test/postgres/testing.ts";

const postgres16 = await engine("postgres-16");
const toxiproxy = await engine("toxiproxy");
/** All twenty in the nightly run. */
const step = process.env["MEMKEEP_NIGHTLY"] === undefined ? 4 : 1;
const points = Array.from({ length: 20 / step }, (_, index) => (index + 1) * step);
const records = 3000;
/** What passes in a whole dump, and in a whole restore, is a little more than the rows. */
const rowsBytes = records * 520;

describe.skipIf(postgres16.missing ?? toxiproxy.missing)("a network that is cut", () => {
  const bench = useBench(() => postgres16.start());
  const { connect, dumped, sink } = bench;
  let proxies: Server;
  let proxy: ToxicProxy;
  let database: TestDatabase;
  let whole: TakenDump;
  beforeAll(async () => {
    proxies = await toxiproxy.start();
    proxy = await ToxicProxy.create(proxies.url, bench.server.url.replace("postgresql://", "http://"));
    database = await createDatabase(bench.server.url);
    await sql(
      database.url,
      `CREATE TABLE memories (id integer PRIMARY KEY, t text);
       INSERT INTO memories SELECT i, repeat(md5(i::text), 16) FROM generate_series(1, ${records}) AS i`,
    );
    whole = await dumped(await connect(database.url));
  });
  afterAll(async () => {
    await database?.[Symbol.asyncDispose]();
    await proxies?.stop();
  });

  function proxied(): string {
    const { host } = new URL(proxy.url);
    return database.url.replace(/@[^/]*/, `@${host}`);
  }
  async function wholeDump(store: Store): Promise<unknown> {
    await using view = await store.open();
    return await view.dump(sink());
  }
  /** The server ends a session once it has seen that its client has gone. */
  async function nothingLeft(but: (row: Record<string, unknown>) => boolean = () => false): Promise<void> {
    for (;;) {
      const left = (await leftBehind(bench.server.url)).filter((row) => !but(row));
      if (left.length === 0) return;
      await sql(bench.server.url, "SELECT pg_sleep(0.05)");
    }
  }

  it.each(points)("dump, cut at %i twentieths: an error, no dump, no transaction left", async (point) => {
    await using store = await connect(proxied());
    // From the first byte on: pg_dump reads ahead, and what is under way already is not cut.
    await proxy.poison("downstream", "limit_data", { bytes: Math.round((rowsBytes * point) / 21) });
    const failed = await wholeDump(store).catch((error: unknown) => error);
    await proxy.heal();
    expect(isMemkeepError(failed), String(failed)).toBe(true);
    await nothingLeft();
    const { manifest } = await dumped(store);
    expect(manifest.collections[0]?.records).toBe(records);
  });

  it.each(points)("restore in place, cut at %i twentieths: the database is as it was", async (point) => {
    const { dump, manifest } = whole;
    await using store = await connect(proxied());
    const options: RestoreOptions = { target: { kind: "in-place" }, force: false };
    await sql(database.url, "DELETE FROM memories WHERE id > 2999");
    try {
      const source = dump.source(manifest);
      const plan = await store.planRestore(source, options);
      await proxy.poison("upstream", "limit_data", { bytes: Math.round((rowsBytes * point) / 21) });
      const failed = await store.stage(plan, source, options).catch((error: unknown) => error);
      expect(isMemkeepError(failed), String(failed)).toBe(true);
      await proxy.heal();
      // What could not be dropped while the network was away is marked: clean-up finds it.
      await nothingLeft(({ state }) => state === "scratch");
      for (const task of await store.maintenance()) if (task.name === "cleanup") await task.run();
      await nothingLeft();
      expect(await countMemories(database.url)).toBe(2999);
    } finally {
      await proxy.heal();
      await sql(
        database.url,
        `INSERT INTO memories SELECT i, repeat(md5(i::text), 16) FROM generate_series(3000, ${records}) AS i ON CONFLICT DO NOTHING`,
      );
    }
  });
});
