/** What a worker does with sealed blobs: open, unpack, and check each against its id. */
import { hash } from "node:crypto";
import { createDecompressor } from "../crypto/compression.ts";
import { sealOverheadBytes, type Sealer } from "../crypto/seal.ts";
import { decodeHeader, type PackEntry } from "../pack/pack-header.ts";
import type { OpenAnswer, OpenJob, VerifyPackAnswer, VerifyPackJob } from "./jobs.ts";

/** So many sealed bytes are opened at once: enough to make few calls, few enough to stay in the processor's cache. */
const groupBytes = 512 * 1024;

/** The opened, still compressed blobs of one group. Kept between jobs. */
let opened: Buffer = Buffer.alloc(0);
/** The unpacked blob that is being checked, where nobody wants its bytes. */
let scratch: Buffer = Buffer.alloc(0);
const decompressor = createDecompressor();
/** restic's largest chunk. */
const largestKeptBytes = 8 * 2 ** 20;

/** `resealer`: of `OpenJob.sealWith`. */
export function openBlobs(
  { input, places, ids, output }: OpenJob,
  sealer: Sealer,
  resealer?: Sealer,
): OpenAnswer {
  const out = output && Buffer.from(output);
  const allIds = Buffer.from(ids.buffer, ids.byteOffset, ids.length);
  const count = places.length / 4;
  const pieces: Pieces = {
    buffer: Buffer.from(input),
    offsets: Array.from({ length: count }, (_, blob) => places[blob * 4]!),
    lengths: Array.from({ length: count }, (_, blob) => places[blob * 4 + 1]!),
  };
  const damaged: number[] = [];
  openInGroups(sealer, pieces, (blob, stored) => {
    const id = allIds.subarray(blob * 32, blob * 32 + 32);
    const uncompressedLength = places[blob * 4 + 2]!;
    const whole =
      stored !== undefined &&
      (out
        ? unpackInto(stored, uncompressedLength, id, out, places[blob * 4 + 3]!)
        : unpack(stored, uncompressedLength, id));
    if (!whole) damaged.push(blob);
    else if (resealer) {
      // A group is opened before its first blob comes here, and what is opened lies elsewhere: `input` may be written.
      const one = { buffer: stored, offsets: [0], lengths: [stored.length], count: 1 };
      resealer.sealBatch(one, pieces.buffer, places[blob * 4]!);
    }
  });
  giveLargeBack();
  return { damaged };
}

/** A long list of chunks made them large: given back at once, where a collection would come late (law 11). */
function giveLargeBack(): void {
  if (opened.length > largestKeptBytes) opened = emptied(opened);
  if (scratch.length > largestKeptBytes) scratch = emptied(scratch);
}

function emptied(buffer: Buffer): Buffer {
  (buffer.buffer as ArrayBuffer).transfer(0);
  return Buffer.alloc(0);
}

export function verifyPack({ input, length }: VerifyPackJob, sealer: Sealer): VerifyPackAnswer {
  const bytes = Buffer.from(input, 0, length);
  const header = openHeader(bytes, sealer);
  const entries = header && entriesOf(header);
  const blobBytes = length - 4 - sealOverheadBytes - (header?.length ?? 0);
  // The caller reports a pack whose header makes no sense like one that cannot be opened.
  if (!header || !entries || !coversAll(entries, blobBytes)) {
    return { sha256: hash("sha256", bytes), header: undefined, damaged: [] };
  }
  const pieces: Pieces = {
    buffer: bytes,
    offsets: entries.map((entry) => entry.offset),
    lengths: entries.map((entry) => entry.length),
  };
  const damaged: number[] = [];
  openInGroups(sealer, pieces, (blob, stored) => {
    const { uncompressedLength, id } = entries[blob]!;
    if (!stored || !unpack(stored, uncompressedLength, id)) damaged.push(blob);
  });
  giveLargeBack();
  return { sha256: hash("sha256", bytes), header, damaged };
}

/** Whether the blobs fill the file up to the header, so that no byte of it goes unseen. */
function coversAll(entries: readonly PackEntry[], blobBytes: number): boolean {
  return entries.reduce((sum, entry) => sum + entry.length, 0) === blobBytes;
}

function openHeader(bytes: Buffer, sealer: Sealer): Buffer | undefined {
  if (bytes.length < 4 + sealOverheadBytes) return undefined;
  const sealedLength = bytes.readUInt32LE(bytes.length - 4);
  if (sealedLength > bytes.length - 4 || sealedLength < sealOverheadBytes) return undefined;
  try {
    return sealer.open(bytes.subarray(bytes.length - 4 - sealedLength, bytes.length - 4));
  } catch {
    return undefined;
  }
}

function entriesOf(header: Buffer): PackEntry[] | undefined {
  try {
    return decodeHeader(header);
  } catch {
    return undefined;
  }
}

interface Pieces {
  readonly buffer: Buffer;
  readonly offsets: readonly number[];
  readonly lengths: readonly number[];
}

/** `stored`: the opened bytes, undefined when they do not open; valid during the call. */
type Visit = (piece: number, stored: Buffer | undefined) => void;

/** Opens the pieces in their order, a group at a time. */
function openInGroups(sealer: Sealer, { buffer, offsets, lengths }: Pieces, visit: Visit): void {
  for (let first = 0; first < lengths.length;) {
    let end = first;
    let bytes = 0;
    do bytes += lengths[end++]!;
    while (end < lengths.length && bytes + lengths[end]! <= groupBytes);
    if (opened.length < bytes) opened = Buffer.allocUnsafeSlow(Math.max(bytes, groupBytes));
    const group = {
      buffer,
      offsets: offsets.slice(first, end),
      lengths: lengths.slice(first, end),
      count: end - first,
    };
    const bad = openGroup(sealer, group);
    for (let piece = first, at = 0; piece < end; piece++) {
      const length = plainBytes(lengths[piece]!);
      visit(piece, bad.has(piece - first) ? undefined : opened.subarray(at, at + length));
      at += length;
    }
    first = end;
  }
}

const none: ReadonlySet<number> = new Set();

/** Opens a group into `opened`, without gaps, and gives the numbers of those that do not open. */
function openGroup(sealer: Sealer, group: Pieces & { readonly count: number }): ReadonlySet<number> {
  try {
    sealer.openBatch(group, opened, 0);
    return none;
  } catch {
    // One of them is damaged: find out which, and still open the others.
    const bad = new Set<number>();
    let at = 0;
    for (const [number, length] of group.lengths.entries()) {
      const one = { buffer: group.buffer, offsets: [group.offsets[number]!], lengths: [length], count: 1 };
      try {
        sealer.openBatch(one, opened, at);
      } catch {
        bad.add(number);
      }
      at += plainBytes(length);
    }
    return bad;
  }
}

/** 0 for what is too short to be sealed. */
function plainBytes(sealedBytes: number): number {
  return Math.max(0, sealedBytes - sealOverheadBytes);
}

/** Unpacks only to see whether the bytes are what the id says. */
function unpack(stored: Buffer, uncompressedLength: number, id: Buffer): boolean {
  if (uncompressedLength === 0) return isNamed(stored, id);
  if (scratch.length < uncompressedLength) scratch = Buffer.allocUnsafeSlow(uncompressedLength);
  return unpackInto(stored, uncompressedLength, id, scratch, 0);
}

/** Puts the plain bytes at `at`; false when they are not what the id says. */
function unpackInto(
  stored: Buffer,
  uncompressedLength: number,
  id: Buffer,
  out: Buffer,
  at: number,
): boolean {
  if (uncompressedLength === 0) {
    out.set(stored, at);
  } else {
    try {
      decompressor.decompressInto(stored, uncompressedLength, out, at);
    } catch {
      return false;
    }
  }
  const end = at + (uncompressedLength || stored.length);
  return isNamed(out.subarray(at, end), id);
}

/** Compared as strings of bytes: a buffer for each digest costs more to make and to collect. */
function isNamed(plain: Buffer, id: Buffer): boolean {
  return hash("sha256", plain, "binary") === id.toString("binary");
}
