import { once } from "node:events";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
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

/** Answers PUT and HEAD as a bucket does, keeping no more than the names. */
export function storingAnswer(stored: Set<string>, request: IncomingMessage, response: ServerResponse): void {
  const path = pathOf(request);
  request.resume().on("end", () => {
    if (request.method === "PUT") stored.add(path);
    const found = stored.has(path) || path === "/bucket";
    response.writeHead(found ? 200 : 404, { "content-length": "0" }).end();
  });
}

/** The path of a request, without its query. */
export function pathOf(request: IncomingMessage): string {
  return (request.url ?? "").replace(/\?.*/, "").replace(/\/$/, "");
}

/** An error as S3 words it. */
export function errorBody(name: string, fields = ""): string {
  return `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${name}</Code><Message>as said</Message>${fields}</Error>`;
}
