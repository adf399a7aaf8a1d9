import { randomUUID } from "node:crypto";
import { CreateBucketCommand, DeleteBucketCommand } from "@aws-sdk/client-s3";
import type { S3Server } from "../../../test/engines/versitygw/index.ts";
import { makeClient } from "../s3/client.ts";
import { schema } from "../s3/config.ts";
import type { S3Config } from "../s3/config.ts";
import { s3 } from "../s3/index.ts";
import type { TestPlace } from "./contract.ts";
import { namesOf } from "./entries.ts";

/** A configuration for a test server. */
export function s3Config(server: S3Server, more: Partial<S3Config> = {}): S3Config {
  return {
    ...schema.parse({
      endpoint: server.url,
      bucket: `memkeep-test-${randomUUID()}`,
      accessKeyId: server.accessKey,
      secretAccessKey: server.secretKey,
      region: "us-east-1",
    }),
    ...more,
  };
}

/** A new bucket, which is removed at the end. */
export async function makeBucket(config: S3Config): Promise<AsyncDisposable> {
  const client = await makeClient(config);
  await client.send(new CreateBucketCommand({ Bucket: config.bucket }));
  return {
    async [Symbol.asyncDispose]() {
      for (const prefix of new Set([config.prefix, ""])) {
        const storage = await s3.open({ ...config, prefix });
        for (const name of await namesOf(storage)) await storage.remove(name);
        await storage.close();
      }
      await client.send(new DeleteBucketCommand({ Bucket: config.bucket }));
      client.destroy();
    },
  };
}

export async function s3Place(config: S3Config): Promise<TestPlace> {
  const bucket = await makeBucket(config);
  return {
    storage: await s3.create(config),
    reopen: () => s3.open(config),
    plantLeftover: undefined,
    // Versity Gateway looks at the condition before it takes the bytes, so that writers in the same instant all pass.
    exclusive: false,
    remove: async () => bucket[Symbol.asyncDispose](),
  };
}
