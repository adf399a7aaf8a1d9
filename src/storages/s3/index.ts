import type { Observer } from "../../domain/observer.ts";
import { RetryingStorage, retryOptions } from "../decorators/retry.ts";
import { ThrottledStorage } from "../decorators/throttle.ts";
import type { Storage, StorageFacts, StorageKind } from "../storage.ts";
import { makeClient } from "./client.ts";
import type { S3Config } from "./config.ts";
import { inspectBucket } from "./inspect.ts";
import { locationOf } from "./location.ts";
import { S3Storage } from "./storage.ts";

/** A bucket of any server that speaks S3. It must exist: making buckets needs rights that a backup should not have. */
export const s3: StorageKind<S3Config> = {
  kind: "s3",
  create: connect,
  open: connect,

  async inspect(config: S3Config): Promise<StorageFacts> {
    const client = await makeClient(config);
    try {
      return await inspectBucket(config, client);
    } finally {
      client.destroy();
    }
  },
};

async function connect(config: S3Config, observer?: Observer): Promise<Storage> {
  const options = retryOptions({
    deadlineMs: config.retryFor,
    onRetry: (error, attempt, delayMs) => {
      const reason = error instanceof Error ? error.message : "it failed";
      observer?.warn(
        locationOf(config),
        `${reason}; attempt ${attempt + 1} in ${(delayMs / 1000).toFixed(1)} s`,
      );
    },
  });
  const bucket = new S3Storage(config, await makeClient(config), options);
  const { uploadLimit, downloadLimit } = config;
  const limited =
    uploadLimit === undefined && downloadLimit === undefined
      ? bucket
      : new ThrottledStorage(bucket, {
          ...(uploadLimit === undefined ? {} : { uploadBytesPerSecond: uploadLimit }),
          ...(downloadLimit === undefined ? {} : { downloadBytesPerSecond: downloadLimit }),
        });
  return new RetryingStorage(limited, options);
}
