/** Clara's day with her own variables: two databases, a bucket, restarts, a database that is down, and the way back. */
import { copyFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { CreateBucketCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeClient } from "../../src/storages/s3/client.ts";
import { s3Config } from "../../src/storages/contract/s3-place.ts";
import { makeFolder, runMemkeep, type Ended } from "../cli/run-memkeep.ts";
import { freePort } from "../engines/free-port.ts";
import { postgresPrograms } from "../engines/postgres/index.ts";
import { engine } from "../engines/require.ts";
import type { Server } from "../engines/server.ts";
import type { S3Server } from "../engines/versitygw/index.ts";
import { createDatabase, databaseUrl, sql, type TestDatabase } from "../postgres/testing.ts";

const postgres = await engine("postgres-16");
const versitygw = await engine("versitygw");

describe.skipIf(postgres.missing ?? versitygw.missing)("examples/clara", () => {
  let databases: Server;
  let bucket: S3Server;
  let main: TestDatabase;
  let vectors: TestDatabase;
  let folder: string;
  let environment: Record<string, string>;

  beforeAll(async () => {
    folder = await makeFolder();
    await copyFile(
      join(import.meta.dirname, "../../examples/clara/memkeep.yaml"),
      join(folder, "memkeep.yaml"),
    );
    databases = await postgres.start();
    bucket = await versitygw.start();
    main = await createDatabase(databases.url, "clara_main");
    vectors = await createDatabase(databases.url, "clara_vectors");
    await sql(
      main.url,
      "CREATE TABLE messages (id serial PRIMARY KEY, said text); INSERT INTO messages (said) SELECT 'message ' || n FROM generate_series(1, 500) n",
    );
    await sql(
      vectors.url,
      "CREATE EXTENSION vector; CREATE TABLE memories (id int PRIMARY KEY, v vector(3)); INSERT INTO memories SELECT n, ARRAY[n, n / 3.0, -n]::real[]::vector FROM generate_series(1, 300) n",
    );
    const config = s3Config(bucket, { bucket: "clara-backups" });
    const client = await makeClient(config);
    await client.send(new CreateBucketCommand({ Bucket: config.bucket }));
    client.destroy();
    environment = {
      PATH: `${await postgresPrograms(16)}:/usr/bin:/bin`,
      DATABASE_URL: main.url,
      MEM0_DATABASE_URL: vectors.url,
      S3_ENDPOINT_URL: bucket.url,
      S3_BUCKET: config.bucket,
      S3_ACCESS_KEY: bucket.accessKey,
      S3_SECRET_KEY: bucket.secretKey,
      S3_REGION: "us-east-1",
      BACKUP_RETENTION_DAYS: "7",
      RESPAWN_PROTECTION_HOURS: "23",
      FORCE_BACKUP: "false",
      DB_RETRY_ATTEMPTS: "3",
      DB_RETRY_DELAY: "0",
      MEMKEEP_PASSWORD: "of Clara's tests",
    };
  });
  afterAll(async () => {
    await bucket?.stop();
    await databases?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  function memkeep(args: readonly string[], more: Record<string, string> = {}): Promise<Ended> {
    return runMemkeep(args, { cwd: folder, env: { ...environment, ...more } });
  }

  async function snapshotCount(): Promise<number> {
    const { stdout } = await memkeep(["snapshots", "--json"]);
    const [repository] = JSON.parse(stdout) as { snapshots: { safety: boolean }[] }[];
    return repository!.snapshots.filter(({ safety }) => !safety).length;
  }

  it("C1-C19, C33, C44, W-C14: both databases are one snapshot in the bucket, and her words have their like", async () => {
    expect(await memkeep(["init"])).toMatchObject({ code: 0 });
    const first = await memkeep(["backup", "--verbose"]);

    expect(first).toMatchObject({ code: 0 });
    expect(first.stderr).toMatch(/clara: backing up [^]*mem0: backing up /);
    expect(first.stdout).toMatch(/clara: [\d,]+ records, [\d.]+ (kB|MB)/);
    expect(first.stdout).toMatch(/mem0: [\d,]+ records, [\d.]+ (kB|MB)/);
    expect(first.stdout).toMatch(/bucket: snapshot [0-9a-f]{8}, .* added/);
    expect(first.stdout).toMatch(/proven \(decoded\)/);
    expect(first.stdout).toMatch(/1 kept, 0 old snapshots forgotten/);
    expect(first.stdout).toMatch(/Backed up the stack clara in/);
    expect(first.stdout).not.toContain("WARNING");
    for (const secret of [bucket.secretKey, environment["MEMKEEP_PASSWORD"]!]) {
      expect(first.stdout + first.stderr).not.toContain(secret);
    }
  });

  it("C5, C16: a restart within the hour is skipped, ends with 0 and says how old the newest is", async () => {
    const again = await memkeep(["backup"]);

    expect(again).toMatchObject({ code: 0 });
    expect(again.stdout).toMatch(
      /bucket: skipped, newest is (less than a minute|\d+ min) old, one is due every 23 h/,
    );
    expect(await snapshotCount()).toBe(1);
  });

  it("C17: FORCE_BACKUP=true passes it, and no other word is taken for yes or no", async () => {
    expect(await memkeep(["backup"], { FORCE_BACKUP: "true" })).toMatchObject({ code: 0 });
    expect(await snapshotCount()).toBe(2);
    expect(await memkeep(["backup"], { FORCE_BACKUP: "perhaps" })).toMatchObject({ code: 64 });
  });

  it("W-C1, W-C2, W-C7: one database down is a failure, is tried again as often as she says, leaves no half snapshot, and no restart hides it", async () => {
    const down = { MEM0_DATABASE_URL: `postgresql://postgres@127.0.0.1:${await freePort()}/clara_vectors` };

    const failed = await memkeep(["backup"], { ...down, FORCE_BACKUP: "true" });
    const early = await memkeep(["backup"], down);

    expect([failed.code, early.code]).toEqual([2, 2]);
    expect(failed.stderr.match(/trying again/g)).toHaveLength(2);
    expect(failed.stderr).toContain("mem0");
    expect(await snapshotCount()).toBe(2);
    expect(await memkeep(["backup"], { RESPAWN_PROTECTION_HOURS: "0" })).toMatchObject({ code: 0 });
    expect(await snapshotCount()).toBe(3);
  });

  it("C25-C29, W-C5, W-C6: both come back, in place and into a new database", async () => {
    await sql(main.url, "DELETE FROM messages WHERE id > 10");
    await sql(vectors.url, "DROP TABLE memories");

    const plan = await memkeep(["restore", "latest"]);
    const before = await sql(main.url, "SELECT count(*)::int AS n FROM messages");
    const restored = await memkeep(["restore", "latest", "--apply"]);
    const beside = databaseUrl(databases.url, "clara_restore");
    const copied = await memkeep(["restore", "latest", "--store", "clara", "--into", beside, "--apply"]);

    expect([plan.code, restored.code, copied.code], restored.stderr + copied.stderr).toEqual([0, 0, 0]);
    expect(before).toEqual([{ n: 10 }]);
    for (const url of [main.url, beside]) {
      expect(await sql(url, "SELECT count(*)::int AS n, max(said) AS last FROM messages")).toEqual([
        { n: 500, last: "message 99" },
      ]);
    }
    expect(await sql(vectors.url, "SELECT count(*)::int AS n FROM memories")).toEqual([{ n: 300 }]);
  });
});
