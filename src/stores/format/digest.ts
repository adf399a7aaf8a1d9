/**
 * The digest of a record: SHA-256 of its line (UTF-8, without newline), followed by the bytes of its vectors in the order
 * of their markers. The markers in the line say how many bytes each vector has, so nothing can be cut differently.
 * It can be computed from a dump and from a live store alike, and does not depend on any other record.
 */
import { recordDigest } from "../../domain/digest.ts";
import type { PlacedVector } from "./value.ts";

let scratch: Buffer = Buffer.allocUnsafe(64 * 1024);

/** 32 bytes, as `recordDigest` of the line and the vectors behind it. */
export function contentDigest(line: string, vectors: readonly PlacedVector[]): Buffer {
  if (vectors.length === 0) return recordDigest(line);
  let most = line.length * 3;
  for (const { vector } of vectors) most += vector.sizeBytes;
  if (most > scratch.length) scratch = Buffer.allocUnsafe(most * 2);
  let length = scratch.write(line, 0, "utf8");
  for (const { vector } of vectors) {
    if (vector.bytes === undefined) throw new TypeError("a vector was not read before it was digested");
    scratch.set(vector.bytes, length);
    length += vector.bytes.length;
  }
  return recordDigest(scratch.subarray(0, length));
}
