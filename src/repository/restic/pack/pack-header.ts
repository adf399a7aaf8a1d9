/**
 * The header at the end of a pack (restic's design document, "Pack Format"): one entry a blob, in the order in which
 * the blobs lie, so offsets follow from lengths. Here in its plain form; in the pack it is sealed and followed by its
 * sealed length.
 */
import { MemkeepError } from "../../../domain/errors.ts";
import { sealOverheadBytes } from "../crypto/seal.ts";
import type { BlobType } from "../index/blob-index.ts";

export interface PackEntry {
  readonly id: Buffer;
  readonly type: BlobType;
  readonly offset: number;
  /** Sealed bytes. */
  readonly length: number;
  /** 0 where stored uncompressed. */
  readonly uncompressedLength: number;
}

export const plainEntryBytes = 37;
export const compressedEntryBytes = 41;
/** Behind the blobs: the seal around the header, and the header's sealed length. */
export const packTrailerBytes: number = sealOverheadBytes + 4;
/** restic refuses longer headers. */
export const maximumHeaderBytes: number = 16 * 2 ** 20;

/** Writes one entry at `at` and gives the place behind it. */
export function writeEntry(
  header: Buffer,
  at: number,
  type: BlobType,
  length: number,
  uncompressedLength: number,
  ids: Uint8Array,
  idAt: number,
): number {
  const compressed = uncompressedLength !== 0;
  let next = header.writeUInt8((compressed ? 2 : 0) + (type === "tree" ? 1 : 0), at);
  next = header.writeUInt32LE(length, next);
  if (compressed) next = header.writeUInt32LE(uncompressedLength, next);
  for (let byte = 0; byte < 32; byte++) header[next + byte] = ids[idAt + byte]!;
  return next + 32;
}

export function encodeHeader(entries: readonly PackEntry[]): Buffer {
  const header = Buffer.allocUnsafe(entries.length * compressedEntryBytes);
  let at = 0;
  for (const { type, length, uncompressedLength, id } of entries) {
    at = writeEntry(header, at, type, length, uncompressedLength, id, 0);
  }
  return header.subarray(0, at);
}

/** `REPOSITORY_DAMAGED` when the bytes are no header. */
export function decodeHeader(bytes: Buffer): PackEntry[] {
  return [...readEntries(bytes)];
}

/** The same one by one. An entry's `id` is a view of the header. */
export function* readEntries(bytes: Buffer): Generator<PackEntry> {
  let offset = 0;
  for (let at = 0; at < bytes.length;) {
    const type = bytes[at]!;
    const compressed = type >= 2;
    const size = compressed ? compressedEntryBytes : plainEntryBytes;
    if (type > 3 || at + size > bytes.length) {
      throw new MemkeepError("REPOSITORY_DAMAGED", {
        tried: "read a pack's header",
        happened: type > 3 ? `it names an unknown kind of blob (${type})` : "it ends within an entry",
      });
    }
    const length = bytes.readUInt32LE(at + 1);
    yield {
      type: (type & 1) === 1 ? "tree" : "data",
      offset,
      length,
      uncompressedLength: compressed ? bytes.readUInt32LE(at + 5) : 0,
      id: bytes.subarray(at + size - 32, at + size),
    };
    offset += length;
    at += size;
  }
}
