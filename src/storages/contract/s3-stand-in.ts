import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { MemkeepError } from "../../domain/errors.ts";
import { schema } from "../s3/config.ts";
import type { S3Config } from "../s3/config.ts";

/** The secret key of every configuration here, to be looked for in errors. */
export const secret = "5ECRET-5ECRET-5ECRET";

/** A configuration for a stand-in, which gives up at once. */
export function testConfig(more: Partial<S3Config>): S3Config {
  const keys = { accessKeyId: "access", secretAccessKey: secret };
  return { ...schema.parse({ bucket: "bucket", region: "us-east-1", retryFor: "0s", ...keys }), ...more };
}

/** Listens on a free loopback port and returns the address. */
export async function listen(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** How an operation failed; it must. */
export async function failureOf(operation: () => Promise<unknown>): Promise<MemkeepError> {
  try {
    await operation();
  } catch (error) {
    if (error instanceof MemkeepError) return error;
    throw error;
  }
  throw new Error("it did not fail");
}
