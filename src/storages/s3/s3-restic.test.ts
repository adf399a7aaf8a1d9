/** Stock restic and this storage read each other's buckets: the layout is the same. */
import { execFile } from "node:child_process";
import { hash, randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { engine, program } from "../../../test/engines/require.ts";
import type { S3Server } from "../../../test/engines/versitygw/index.ts";
import { namesOf } from "../contract/entries.ts";
import { makeBucket, s3Config } from "../contract/s3-place.ts";
import { s3 } from "./index.ts";
import { locationOf } from "./location.ts";

const versitygw = await engine("versitygw");
const versions = ["restic-0.14.0", "restic-0.18.0"] as const;
const restics = await Promise.all(versions.map(async (name) => ({ name, ...(await program(name)) })));

describe.skipIf(versitygw.missing)("law 9: a bucket of stock restic", () => {
  let server: S3Server;
  let folder: string;
  beforeAll(async () => {
    server = await versitygw.start();
    folder = await mkdtemp(join(tmpdir(), "memkeep-s3-restic-"));
  });
  afterAll(async () => {
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  describe.each(restics)("$name", ({ missing, path }) => {
    it.skipIf(missing)(
      "is read, and is checked and restored by restic when it was copied entry by entry",
      async () => {
        const config = s3Config(server, { prefix: "by/restic" });
        const copyConfig = { ...config, prefix: "by/memkeep" };
        await using _bucket = await makeBucket(config);
        const original = await s3.open(config);
        const copy = await s3.open(copyConfig);
        const memory = join(folder, "memory.db");
        await writeFile(memory, randomBytes(3_000_000));
        const restic = (location: string, ...args: string[]): Promise<unknown> =>
          promisify(execFile)(path, ["--no-cache", "-r", location, ...args], {
            env: {
              ...process.env,
              AWS_ACCESS_KEY_ID: server.accessKey,
              AWS_SECRET_ACCESS_KEY: server.secretKey,
              RESTIC_PASSWORD: "test",
            },
          });
        await restic(locationOf(config), "init");
        await restic(locationOf(config), "backup", memory);

        const names = await namesOf(original);
        for (const name of names) {
          const bytes = await original.read(name);
          if (name !== "config") expect(hash("sha256", bytes)).toBe(name.split("/").at(-1));
          await copy.write(name, [bytes.subarray(0, 100), bytes.subarray(100)]);
        }

        const layout = names.map((name) =>
          name.replace(/[0-9a-f]{64}$/, "ID").replace(/\/[0-9a-f]{2}\//, "/XX/"),
        );
        expect([...new Set(layout)]).toEqual(["config", "data/XX/ID", "index/ID", "keys/ID", "snapshots/ID"]);
        await restic(locationOf(copyConfig), "check", "--read-data");
        const target = join(folder, "restored");
        await restic(locationOf(copyConfig), "restore", "latest", "--target", target);
        expect((await readFile(join(target, memory))).equals(await readFile(memory))).toBe(true);

        await rm(target, { recursive: true });
        await copy.remove(names.find((name) => name.startsWith("snapshots/")) ?? "");
        await restic(locationOf(copyConfig), "prune");
        expect(await namesOf(copy, "data/")).toEqual([]);
        for (const name of await namesOf(copy)) await copy.remove(name);
        await Promise.all([original.close(), copy.close()]);
      },
    );
  });
});
