/** A bucket whose keys may add and not remove, and one that keeps old versions: on Versity Gateway, through the whole program. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  CreateBucketCommand,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
  PutObjectLockConfigurationCommand,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { namesOf } from "../../src/storages/contract/entries.ts";
import { makeBucket, s3Config } from "../../src/storages/contract/s3-place.ts";
import { makeClient } from "../../src/storages/s3/client.ts";
import { s3 } from "../../src/storages/s3/index.ts";
import type { S3Config } from "../../src/storages/s3/config.ts";
import { change } from "../engine/stack.ts";
import { faketimeLibrary } from "../engines/faketime/index.ts";
import { engine } from "../engines/require.ts";
import { addAccount, type S3Server } from "../engines/versitygw/index.ts";
import { makeFolder, makeMemory, removeFolder, runMemkeep, type Ended } from "../cli/run-memkeep.ts";

const versitygw = await engine("versitygw");

describe.skipIf(versitygw.missing ?? versitygw.existing)("a bucket with rules of its own", () => {
  let server: S3Server;
  let folder: string;
  let database: string;
  beforeAll(async () => {
    server = await versitygw.start({ versioning: true });
    folder = await makeFolder();
    database = join(folder, "memory.db");
    makeMemory(database, 200);
  });
  afterAll(async () => {
    await removeFolder(folder);
    await server?.stop();
  });

  /** `memkeep` on the bucket, by the owner's keys or others. */
  function on(
    config: S3Config,
    keys: Partial<S3Config> = {},
    more: Record<string, string> = {},
  ): (...args: string[]) => Promise<Ended> {
    const { accessKeyId, secretAccessKey } = { ...config, ...keys };
    return async (...args) => {
      await writeFile(
        join(folder, "memkeep.yaml"),
        `version: 1
stack: memory
stores: { memory: { type: sqlite, path: ./memory.db } }
repositories:
  bucket: { type: restic, storage: "s3:${server.url}/${config.bucket}/memkeep" }
`,
      );
      const env = {
        MEMKEEP_PASSWORD: "of the tests",
        AWS_ACCESS_KEY_ID: accessKeyId!,
        AWS_SECRET_ACCESS_KEY: secretAccessKey!,
        AWS_REGION: "us-east-1",
        ...more,
      };
      return runMemkeep(args, { cwd: folder, env });
    };
  }

  it("append-only keys: backups and restores go on; forget, prune and unlock say what they could not do, and change nothing", async () => {
    const config = s3Config(server);
    await using _bucket = await makeBucket(config);
    const writer = await addAccount(server);
    const client = await makeClient(config);
    const objects = `arn:aws:s3:::${config.bucket}/*`;
    const Policy = JSON.stringify({
      Version: "2012-10-17",
      Statement: [
        {
          Effect: "Allow",
          Principal: { AWS: [writer.accessKeyId] },
          Action: ["s3:GetObject", "s3:PutObject"],
          Resource: objects,
        },
        {
          Effect: "Allow",
          Principal: { AWS: [writer.accessKeyId] },
          Action: ["s3:ListBucket"],
          Resource: `arn:aws:s3:::${config.bucket}`,
        },
      ],
    });
    await client.send(new PutBucketPolicyCommand({ Bucket: config.bucket, Policy }));
    client.destroy();
    const [owner, appending] = [on(config), on(config, writer)];
    expect(await owner("init")).toMatchObject({ code: 0 });

    const backups: Ended[] = [];
    for (let run = 0; run < 2; run++) {
      change(database, `INSERT INTO memories (text) VALUES ('run ${run}')`);
      backups.push(await appending("backup"));
    }
    const doctor = await appending("doctor");
    const forget = await appending("forget", "--keep-last", "1");
    const prune = await appending("prune");
    const unlock = await appending("unlock", "--all");
    const verified = await appending("verify", "--level", "stored");

    for (const { code, stderr } of backups) expect(code, stderr).toBe(0);
    expect(backups[1]!.stdout).toContain("s3:DeleteObject");
    expect(doctor.stdout).toMatch(/can be added to, and nothing can be removed/);
    for (const { code, stderr } of [forget, prune]) {
      expect(code).toBe(2);
      expect(stderr).toMatch(/nothing may be removed there, and so nothing was .*s3:DeleteObject/);
    }
    expect(unlock).toMatchObject({ code: 2 });
    expect(verified.code, verified.stderr).toBe(0);
    // A key that may remove does what was left to do.
    expect(await owner("unlock", "--all")).toMatchObject({ code: 0 });
    expect(await owner("forget", "--keep-last", "1")).toMatchObject({ code: 0 });
    expect(await owner("prune")).toMatchObject({ code: 0 });
  });

  it("law 8: wrong keys, no bucket and a wrong clock are said with the next step, and nothing is changed", async () => {
    const config = s3Config(server);
    await using _bucket = await makeBucket(config);
    const away = { LD_PRELOAD: await faketimeLibrary(), FAKETIME: "+2h" };
    const cases = [
      {
        memkeep: on(config, { secretAccessKey: "not the secret" }),
        says: /secret key does not fit.*secret access key/s,
      },
      {
        memkeep: on(config, { accessKeyId: "nobody" }),
        says: /does not know the access key.*access key id/s,
      },
      { memkeep: on({ ...config, bucket: "no-such-bucket" }), says: /no bucket no-such-bucket.*Create it/s },
      {
        memkeep: on(config, {}, away),
        says: /clocks of this machine and of the server.*Set this machine's clock/s,
      },
    ];

    for (const { memkeep, says } of cases) {
      const ended = await memkeep("init");
      expect(ended.code, ended.stderr).toBe(2);
      expect(ended.stderr).toMatch(says);
      expect(ended.stderr).not.toContain("not the secret");
    }
    const storage = await s3.open(config);
    expect(await namesOf(storage)).toEqual([]);
    await storage.close();
  });

  it("a bucket that locks its objects takes backups, and doctor tells for how long", async () => {
    // It goes with its server: what is locked cannot be cleared away.
    const config = s3Config(server);
    const client = await makeClient(config);
    const { bucket: Bucket } = config;
    await client.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: true }));
    const Rule = { DefaultRetention: { Mode: "GOVERNANCE", Days: 2 } } as const;
    const ObjectLockConfiguration = { ObjectLockEnabled: "Enabled", Rule } as const;
    await client.send(new PutObjectLockConfigurationCommand({ Bucket, ObjectLockConfiguration }));
    client.destroy();
    const memkeep = on(config);

    expect(await memkeep("init")).toMatchObject({ code: 0 });
    const backedUp = await memkeep("backup");
    const doctor = await memkeep("doctor");

    expect(backedUp.code, backedUp.stderr).toBe(0);
    expect(doctor.stdout).toMatch(
      /Object lock is on \(governance\): no entry can be removed for good\s+within 2 days/,
    );
  });

  it("versions are told by doctor, and prune says that what it removed still takes room", async () => {
    // It goes with its server: versions cannot be cleared away by names alone.
    const config = s3Config(server);
    const client = await makeClient(config);
    await client.send(new CreateBucketCommand({ Bucket: config.bucket }));
    await client.send(
      new PutBucketVersioningCommand({
        Bucket: config.bucket,
        VersioningConfiguration: { Status: "Enabled" },
      }),
    );
    const memkeep = on(config);
    expect(await memkeep("init")).toMatchObject({ code: 0 });
    expect(await memkeep("backup")).toMatchObject({ code: 0 });
    change(database, "UPDATE memories SET text = text || hex(randomblob(2000))");
    expect(await memkeep("backup")).toMatchObject({ code: 0 });

    const doctor = await memkeep("doctor");
    expect(await memkeep("forget", "--keep-last", "1")).toMatchObject({ code: 0 });
    const pruned = await memkeep("prune", "--max-unused", "0%");

    expect(doctor.stdout).toMatch(/Versioning is on: what prune removes takes room/);
    expect(pruned.code, pruned.stderr).toBe(0);
    expect(pruned.stdout).toMatch(/Versioning is on: what prune removes takes room until a lifecycle rule/);
    client.destroy();
  });
});
