import { execFile } from "node:child_process";
import { chmod, chown, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { startPgbouncer } from "../../../test/engines/pgbouncer/index.ts";
import { asNobody } from "../../../test/engines/process.ts";
import { engine } from "../../../test/engines/require.ts";
import type { Server } from "../../../test/engines/server.ts";
import { ManualClock } from "../../util/clock/manual-clock.ts";
import { DumpFolder } from "../contract/dump-folder.ts";
import {
  connectTo,
  createDatabase,
  databaseUrl,
  leftBehind,
  openSpool,
  recordingObserver,
  sql,
  useBench,
} from "../../../test/postgres/testing.ts";

const execute = promisify(execFile);
const postgres15 = await engine("postgres-15");
const postgres16 = await engine("postgres-16");

describe.skipIf(postgres16.missing)("connections", () => {
  const bench = useBench(() => postgres16.start());
  const { sink } = bench;

  it("what may pass is tried again after 2, 4, 8, 16 and 32 seconds, and every retry is told", async () => {
    const clock = new ManualClock({ skipSleeps: true });
    const observer = recordingObserver();
    const url = "postgresql://postgres:secret@127.0.0.1:1/d";
    await using store = await connectTo(url, 16, bench.spool.context({ clock, observer }), {
      retryAttempts: 6,
    });
    await expect(store.describe()).rejects.toMatchObject({ code: "STORE_UNREACHABLE" });
    expect(clock.sleeps).toEqual([2000, 4000, 8000, 16_000, 32_000]);
    expect(observer.texts).toHaveLength(5);
    expect(observer.texts[0]).toMatch(/ECONNREFUSED.*; trying again in 2 s \(1 of 5\)$/);
    expect(observer.texts.join("")).not.toContain("secret");
  });

  it("a connection that works at last is used", async () => {
    await using database = await createDatabase(bench.server.url);
    await sql(bench.server.url, "CREATE ROLE limited LOGIN CONNECTION LIMIT 0");
    const clock = new ManualClock({ skipSleeps: true });
    const observer = recordingObserver();
    observer.warn = () => {
      if (clock.sleeps.length === 1) opened = sql(bench.server.url, "ALTER ROLE limited CONNECTION LIMIT 5");
    };
    let opened: Promise<unknown> = Promise.resolve();
    const waiting = Object.assign(clock, {
      sleep: async (ms: number): Promise<void> => {
        clock.sleeps.push(ms);
        await opened;
      },
    });
    const url = database.url.replace("postgres@", "limited@");
    await using store = await connectTo(url, 16, bench.spool.context({ clock: waiting, observer }), {
      retryAttempts: 6,
    });
    expect(await store.describe()).toMatchObject({ engine: { name: "PostgreSQL" } });
    expect(clock.sleeps).toEqual([2000, 4000]);
    await sql(bench.server.url, "DROP ROLE limited");
  });

  it("a missing database or role is never tried again", async () => {
    const clock = new ManualClock({ skipSleeps: true });
    for (const [url, code] of [
      [databaseUrl(bench.server.url, "lost"), "STORE_MISSING"],
      [bench.server.url.replace("postgres@", "lost@"), "STORE_DENIED"],
    ] as const) {
      await using store = await connectTo(url, 16, bench.spool.context({ clock }), { retryAttempts: 6 });
      await expect(store.describe()).rejects.toMatchObject({ code });
    }
    expect(clock.sleeps).toEqual([]);
  });

  it("a pooler in transaction mode is recognised; one in session mode works", async () => {
    await using database = await createDatabase(bench.server.url);
    await sql(database.url, "CREATE TABLE a AS SELECT 1 AS x");
    {
      await using pooler = await startPgbouncer(database.url, "transaction");
      await using store = await connectTo(pooler.url, 16, bench.spool.context(), {
        retryAttempts: 20,
        retryDelay: "1ms",
      });
      const refused = await store.open().catch((error: unknown) => error);
      expect(refused).toMatchObject({
        code: "STORE_UNSUPPORTED",
        next: expect.stringContaining("5432") as string,
      });
    }
    await using pooler = await startPgbouncer(database.url, "session");
    await using store = await connectTo(pooler.url, 16, bench.spool.context(), {
      retryAttempts: 20,
      retryDelay: "1ms",
    });
    await using view = await store.open();
    expect((await view.dump(sink())).collections).toHaveLength(1);
  });

  it("a standby can be dumped", async () => {
    await using database = await createDatabase(bench.server.url);
    await sql(database.url, "CREATE UNLOGGED TABLE u AS SELECT 1 AS x; CREATE TABLE a AS SELECT 1 AS x");
    await using standby = await startStandby(bench.server.url);
    const url = database.url.replace(new URL(bench.server.url).port, new URL(standby.url).port);
    await using store = await connectTo(url, 16, bench.spool.context());
    await using view = await store.open();
    const facts = await view.dump(sink());
    expect(facts.collections.map(({ name }) => name)).toEqual(["public.a"]);
    expect(facts.omitted).toEqual([
      { what: "rows of public.u", why: "it is unlogged, and the server is a standby" },
    ]);
  });

  /** A copy of the server that follows nobody: in recovery, and open for reading. */
  async function startStandby(url: string): Promise<Server> {
    const [row] = await sql(url, "SELECT setting FROM pg_settings WHERE name = 'data_directory'");
    const folder = await mkdtemp(join(tmpdir(), "memkeep-standby-"));
    await sql(url, "CHECKPOINT");
    // Not a running copy: a base backup through the server's own functions is more than this test needs.
    await sql(url, "SELECT pg_switch_wal()");
    await execute("cp", ["-a", String(row!["setting"]), folder]);
    const data = join(folder, "data");
    await rm(join(data, "postmaster.pid"), { force: true });
    await writeFile(join(data, "standby.signal"), "");
    const [uid, gid] = await Promise.all(
      ["-u", "-g"].map(async (which) => Number((await execute(...asNobody("id", [which]))).stdout)),
    );
    await chown(join(data, "standby.signal"), uid!, gid!);
    if (process.getuid?.() === 0) await chown(folder, uid!, gid!);
    const started = await postgres16.start({ folder });
    return {
      ...started,
      async [Symbol.asyncDispose]() {
        await started.stop();
        await rm(folder, { recursive: true, force: true });
      },
    };
  }

  it("W-C9: a server that stops in the middle fails the dump in words, whatever came before, and the next run works", async () => {
    const folder = await mkdtemp(join(tmpdir(), "memkeep-stopped-"));
    try {
      let own = await postgres16.start({ folder });
      await sql(
        own.url,
        "CREATE TABLE a AS SELECT i, repeat('x', 1000) AS t FROM generate_series(1, 3000) AS i",
      );
      {
        await using store = await connectTo(own.url, 16, bench.spool.context());
        await using view = await store.open();
        await own.process!.kill("SIGQUIT");
        const failed = await view.dump(sink()).catch((error: unknown) => error);
        expect(failed).toMatchObject({
          code: expect.stringMatching(/^(TOOL_FAILED|STORE_UNREACHABLE)$/) as string,
        });
      }
      own = await postgres16.start({ folder });
      await using store = await connectTo(own.url, 16, bench.spool.context());
      {
        await using view = await store.open();
        expect((await view.dump(sink())).collections[0]?.records).toBe(3000);
      }
      expect(await leftBehind(own.url)).toEqual([]);
      await own.stop();
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe.skipIf(postgres15.missing)("TLS", () => {
  it("sslmode up to verify-full, for us and for pg_dump, with a real certificate", async () => {
    await using spool = await openSpool();
    const folder = await mkdtemp(join(tmpdir(), "memkeep-tls-"));
    await chmod(folder, 0o755);
    const [key, certificate] = [join(folder, "key.pem"), join(folder, "cert.pem")];
    await execute("openssl", [
      "req",
      "-x509",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-days",
      "2",
      "-subj",
      "/CN=localhost",
      "-addext",
      "subjectAltName=DNS:localhost",
      "-keyout",
      key,
      "-out",
      certificate,
    ]);
    await chmod(key, 0o600);
    const uid = Number((await execute(...asNobody("id", ["-u"]))).stdout);
    if (process.getuid?.() === 0) await chown(key, uid, 0);
    await using server = await postgres15.start({
      settings: { ssl: "on", ssl_cert_file: certificate, ssl_key_file: key },
    });
    // More than a pipe holds, so that pg_dump is still there.
    await sql(
      server.url,
      "CREATE TABLE a AS SELECT i, repeat('x', 1000) AS t FROM generate_series(1, 3000) AS i",
    );
    const byName = server.url.replace("127.0.0.1", "localhost");
    let dumps = 0;
    async function isEncrypted(url: string): Promise<boolean> {
      await using store = await connectTo(url, 15, spool.context());
      await using view = await store.open();
      const rows = await sql(
        server.url,
        "SELECT s.ssl FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) WHERE a.application_name IN ('memkeep', 'pg_dump')",
      );
      expect(rows).toHaveLength(2);
      await view.dump(new DumpFolder(join(spool.folder, `dump-${++dumps}`), "memory"));
      return rows.every(({ ssl }) => ssl === true);
    }
    const root = `sslrootcert=${certificate}`;
    expect(await isEncrypted(`${byName}?sslmode=verify-full&${root}`)).toBe(true);
    expect(await isEncrypted(`${server.url}?sslmode=verify-ca&${root}`)).toBe(true);
    expect(await isEncrypted(`${server.url}?sslmode=require`)).toBe(true);
    expect(await isEncrypted(server.url)).toBe(true);
    expect(await isEncrypted(`${server.url}?sslmode=disable`)).toBe(false);
    // The certificate is for another name, or of another signer.
    for (const url of [
      `${server.url}?sslmode=verify-full&${root}`,
      `${byName}?sslmode=verify-full&sslrootcert=system`,
    ]) {
      await using store = await connectTo(url, 15, spool.context());
      await expect(store.open()).rejects.toThrow(/certificate|altnames|self.signed/i);
    }
    await rm(folder, { recursive: true });
  });
});
