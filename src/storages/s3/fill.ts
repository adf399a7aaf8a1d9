import { Readable } from "node:stream";
import { finished } from "node:stream/promises";
import type { GetObjectCommandOutput } from "@aws-sdk/client-s3";
import { MemkeepError } from "../../domain/errors.ts";

/** Far more than a pack; an answer that claims more is not read into memory (law 11). */
const maxEntryBytes = 1024 ** 3;

/**
 * The bytes of an answer, exactly as many as were asked for (law 3). Too few that were announced, or a connection that
 * ends early, is an error; one that may pass where the server had announced more than it gave. They are put into `into` where
 * that is given and large enough: a buffer of its own for each of many reads is memory that only a collection gives back.
 */
export async function fillFrom(
  answer: GetObjectCommandOutput,
  range: { offset: number; length: number } | undefined,
  tried: string,
  into?: Uint8Array,
): Promise<Buffer> {
  const body = answer.Body;
  const announced = answer.ContentLength;
  const refuse = (happened: string, transient = false): MemkeepError => {
    if (body instanceof Readable) body.destroy();
    return new MemkeepError("STORAGE_FAILED", { tried, happened, details: { transient } });
  };
  if (!(body instanceof Readable) || announced === undefined) throw refuse("the server told no length");
  if (announced > maxEntryBytes)
    throw refuse(`the server announced ${announced} bytes, which is no entry of a repository`);
  if (range !== undefined) {
    const total = /\/(?<total>\d+)$/.exec(answer.ContentRange ?? "")?.groups?.["total"];
    if (announced !== range.length && total !== undefined && Number(total) < range.offset + range.length) {
      throw refuse(
        `it ends at byte ${total}, and ${range.length} bytes from byte ${range.offset} on were asked for`,
      );
    }
    const expected = `bytes ${range.offset}-${range.offset + range.length - 1}/`;
    if (announced !== range.length || answer.ContentRange?.startsWith(expected) !== true) {
      throw refuse(
        `the server answered with ${answer.ContentRange ?? "the whole"} when ${expected} was asked for`,
      );
    }
  }
  // Not from Node's shared pool, see the contract.
  const buffer =
    into === undefined || into.byteLength < announced
      ? Buffer.from(new ArrayBuffer(announced))
      : Buffer.from(into.buffer, into.byteOffset, announced);
  let filled = 0;
  // Flowing, not awaited chunk by chunk: that would stop and start the connection for every 64 KiB.
  body.on("data", (chunk: Buffer) => {
    if (filled + chunk.length > announced)
      body.destroy(refuse(`the server sent more than the ${announced} bytes it announced`));
    else filled += chunk.copy(buffer, filled);
  });
  await finished(body);
  if (filled < announced) throw refuse(`the connection ended after ${filled} of ${announced} bytes`, true);
  return buffer;
}
