import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { engine } from "../../../test/engines/require.ts";
import type { S3Server } from "../../../test/engines/versitygw/index.ts";
import { describeStorageContract } from "../contract/contract.ts";
import { entriesOf } from "../contract/entries.ts";
import { makeBucket, s3Config, s3Place } from "../contract/s3-place.ts";
import { s3 } from "./index.ts";

const versitygw = await engine("versitygw");

describe.skipIf(versitygw.missing)("S3, on Versity Gateway", () => {
  let server: S3Server;
  beforeAll(async () => {
    server = await versitygw.start();
  });
  afterAll(() => server?.stop());

  describeStorageContract("a bucket", () => s3Place(s3Config(server)));
  describeStorageContract("a prefix in a bucket", () =>
    s3Place(s3Config(server, { prefix: "backups/my stack" })),
  );

  it("a prefix sees nothing of its neighbours", async () => {
    const config = s3Config(server);
    await using _bucket = await makeBucket(config);
    const [inner, neighbour, whole] = await Promise.all([
      s3.open({ ...config, prefix: "a" }),
      s3.open({ ...config, prefix: "ab" }),
      s3.open(config),
    ]);
    await inner.write("data/one", [Buffer.from("1")]);
    await neighbour.write("data/two", [Buffer.from("22")]);

    expect(await entriesOf(inner)).toEqual([{ name: "data/one", sizeBytes: 1 }]);
    expect(await entriesOf(neighbour)).toEqual([{ name: "data/two", sizeBytes: 2 }]);
    expect((await entriesOf(whole)).map(({ name }) => name)).toEqual(["a/data/one", "ab/data/two"]);
    expect(await inner.stat("data/two")).toBeUndefined();
    await Promise.all([inner, neighbour, whole].map((storage) => storage.close()));
  });

  it("tells of versioning and object lock, or that it cannot", async () => {
    const config = s3Config(server);
    await using _bucket = await makeBucket(config);

    const facts = await s3.inspect?.(config);
    const refused = await s3.inspect?.({ ...config, secretAccessKey: "wrong" });

    expect(facts?.sentences).toHaveLength(2);
    expect(facts?.sentences[1]).toMatch(/^(Object lock is off|The server has no object lock)\.$/);
    expect(refused?.keepsRemoved).toBeUndefined();
    expect(refused?.sentences[0]).toMatch(/^Versioning is unknown: .*secret key does not fit/);
  });
});
