import type { S3Config } from "./config.ts";

/** The place as a restic URL, without anything secret. */
export function locationOf(config: S3Config): string {
  const server = config.endpoint ?? "s3.amazonaws.com";
  return `s3:${[server.replace(/\/+$/, ""), config.bucket, config.prefix].filter((part) => part !== "").join("/")}`;
}
