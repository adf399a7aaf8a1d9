import { GetBucketVersioningCommand, GetObjectLockConfigurationCommand } from "@aws-sdk/client-s3";
import type { S3Client } from "@aws-sdk/client-s3";
import type { StorageFacts } from "../storage.ts";
import type { S3Config } from "./config.ts";
import { answerOf, s3Failure } from "./errors.ts";

/** Versioning and object lock of the bucket: both keep what `prune` removes. */
export async function inspectBucket(config: S3Config, client: S3Client): Promise<StorageFacts> {
  const clock = watchClock(client);
  const versioning = await versioningOf(config, client);
  const lock = await lockOf(config, client);
  return {
    keepsRemoved: versioning.keepsRemoved,
    timeMs: clock.timeMs,
    freeBytes: undefined,
    sentences: [versioning.sentence, lock],
  };
}

/** Notes the `Date` that every answer carries. */
function watchClock(client: S3Client): { timeMs: number | undefined } {
  const seen: { timeMs: number | undefined } = { timeMs: undefined };
  client.middlewareStack.add(
    (next) => async (request) => {
      const result = await next(request);
      const { headers } = result.response as { headers?: Readonly<Record<string, string>> };
      const timeMs = Date.parse(headers?.["date"] ?? "");
      if (Number.isFinite(timeMs)) seen.timeMs = timeMs;
      return result;
    },
    { step: "deserialize", name: "memkeepClock", priority: "low" },
  );
  return seen;
}

async function versioningOf(
  config: S3Config,
  client: S3Client,
): Promise<{ keepsRemoved: boolean | undefined; sentence: string }> {
  try {
    const { Status } = await client.send(new GetBucketVersioningCommand({ Bucket: config.bucket }));
    if (Status === "Enabled") {
      return {
        keepsRemoved: true,
        sentence:
          "Versioning is on: what prune removes takes room until a lifecycle rule expires old versions.",
      };
    }
    if (Status === "Suspended") {
      return {
        keepsRemoved: true,
        sentence:
          "Versioning is suspended: versions from before still take room; newly removed entries do not.",
      };
    }
    return { keepsRemoved: false, sentence: "Versioning is off: removed entries are gone." };
  } catch (error) {
    // Servers without versions say so.
    if (answerOf(error).status === 501)
      return { keepsRemoved: false, sentence: "The server keeps no versions." };
    return {
      keepsRemoved: undefined,
      sentence: `Versioning is unknown: ${why(error, config, "s3:GetBucketVersioning")}.`,
    };
  }
}

async function lockOf(config: S3Config, client: S3Client): Promise<string> {
  try {
    const answer = await client.send(new GetObjectLockConfigurationCommand({ Bucket: config.bucket }));
    const lock = answer.ObjectLockConfiguration;
    if (lock?.ObjectLockEnabled !== "Enabled") return "Object lock is off.";
    const { Mode, Days, Years } = lock.Rule?.DefaultRetention ?? {};
    if (Mode === undefined)
      return "Object lock is possible, but no default retention is set: nothing is locked by itself.";
    const time = Days === undefined ? `${Years ?? 0} years` : `${Days} days`;
    return `Object lock is on (${Mode.toLowerCase()}): no entry can be removed for good within ${time}.`;
  } catch (error) {
    const { name, status } = answerOf(error);
    if (name === "ObjectLockConfigurationNotFoundError" || status === 404) return "Object lock is off.";
    if (status === 501) return "The server has no object lock.";
    return `Object lock is unknown: ${why(error, config, "s3:GetBucketObjectLockConfiguration")}.`;
  }
}

function why(error: unknown, config: S3Config, action: string): string {
  return s3Failure(error, { tried: "inspect the bucket", action, config }).message;
}
