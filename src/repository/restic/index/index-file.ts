/**
 * Index files: which blobs lie where in which pack. Written as restic writes them, at most `blobsPerFile` blobs each,
 * all blobs of one pack in one file (restic's `check` refuses a pack that is split over two).
 */
import { z } from "zod";
import { MemkeepError } from "../../../domain/errors.ts";
import type { PackEntry } from "../pack/pack-header.ts";
import type { BlobIndex } from "./blob-index.ts";
import { scanIndex } from "./scan-index.ts";

/**
 * restic starts a new index file at 50,000 blobs, whose JSON has 10 MB. Smaller files take less memory while they are
 * made (law 11), and an interrupted run leaves less to store again.
 */
export const blobsPerFile = 16_384;

const IndexJson = z.object({
  packs: z
    .array(
      z.object({
        id: z.string().regex(/^[0-9a-f]{64}$/),
        blobs: z.array(
          z.object({
            id: z.string().regex(/^[0-9a-f]{64}$/),
            type: z.enum(["data", "tree"]),
            offset: z.number().int().nonnegative(),
            length: z.number().int().nonnegative(),
            uncompressed_length: z.number().int().nonnegative().optional(),
          }),
        ),
      }),
    )
    .nullable(),
});

/** The blobs of one pack, in order. An array is one; a view of the index makes them one by one. */
export interface PackEntries extends Iterable<PackEntry> {
  readonly length: number;
}

export interface IndexedPack {
  readonly id: string;
  readonly entries: PackEntries;
}

/** Bytes that a blob takes at the most: two ids would not fit, a name and four ten-digit numbers do. */
const longestBlobJson = 200;
const longestPackJson = 100;

/** Room for the JSON of these packs, to be used again for the next. */
export function indexRoom(packs: readonly IndexedPack[]): number {
  const blobs = packs.reduce((sum, pack) => sum + pack.entries.length, 0);
  return 32 + packs.length * longestPackJson + blobs * longestBlobJson;
}

/**
 * The file's JSON, printed as restic prints it. Written byte by byte: as one string it would be there three times. It stands in
 * `room` where that has `indexRoom` bytes: megabytes made and dropped again and again leave holes that stay resident (law 11).
 */
export function encodeIndex(packs: readonly IndexedPack[], room: Buffer = Buffer.alloc(0)): Buffer {
  const needed = indexRoom(packs);
  const json = room.length >= needed ? room : Buffer.allocUnsafeSlow(needed);
  let at = json.write('{"packs":[', "latin1");
  for (const [number, pack] of packs.entries()) {
    at += json.write(`${number === 0 ? "" : ","}{"id":"${pack.id}","blobs":[`, at, "latin1");
    let first = true;
    for (const entry of pack.entries) {
      const uncompressed =
        entry.uncompressedLength === 0 ? "" : `,"uncompressed_length":${entry.uncompressedLength}`;
      const line = `${first ? "" : ","}{"id":"${entry.id.toString("hex")}","type":"${entry.type}","offset":${entry.offset},"length":${entry.length}${uncompressed}}`;
      at += json.write(line, at, "latin1");
      first = false;
    }
    at += json.write("]}", at, "latin1");
  }
  at += json.write("]}", at, "latin1");
  return json.subarray(0, at);
}

/**
 * Adds the file's blobs to `index`. The fast scan knows the field order that restic and memkeep write; anything
 * else goes through `JSON.parse`. `REPOSITORY_DAMAGED` when it is no index.
 */
export function readIndex(json: Buffer, index: BlobIndex): void {
  const scanned = scanIndex(json, index);
  if (scanned.complete) return;
  let packs: z.infer<typeof IndexJson>["packs"];
  try {
    ({ packs } = IndexJson.parse(JSON.parse(json.toString("utf8"))));
  } catch (cause) {
    throw new MemkeepError("REPOSITORY_DAMAGED", {
      tried: "read an index file",
      happened: "it is not what an index looks like",
      next: "Run `memkeep repository repair` to rebuild the index from the packs.",
      cause,
    });
  }
  let seen = 0;
  for (const pack of packs ?? []) {
    const number = index.packNumber(pack.id);
    for (const blob of pack.blobs) {
      if (seen++ < scanned.blobs) continue;
      index.add(Buffer.from(blob.id, "hex"), 0, blob.type, {
        pack: number,
        offset: blob.offset,
        length: blob.length,
        uncompressedLength: blob.uncompressed_length ?? 0,
      });
    }
  }
}
