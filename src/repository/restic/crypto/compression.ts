/**
 * zstd of single blobs: one standard frame for each, with its content size. A blob whose compressed form is not
 * smaller is stored as it is, and one of length zero always (the format demands it).
 *
 * There is no test for incompressible data beforehand: level 1 recognises it by itself and passes random bytes
 * at over 2 GB/s, and float32 rows, which do shrink by 7 %, at over 1 GB/s.
 */
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { MemkeepError } from "../../../domain/errors.ts";
import { openCompressContext, openDecompressContext } from "./zstd-context.ts";
import { readZstdFrame } from "./zstd-frame.ts";

export interface Compressor {
  /** The compressed form, or undefined when it is not smaller than `plain`. */
  compress(plain: Uint8Array): Buffer | undefined;

  /**
   * Compresses into `out` at `outOffset`, where there must be room for `compressBound(plain.length)` bytes (else
   * `RangeError`). Returns the length, or 0 when it would not be smaller: then store `plain`. `out` may not overlap
   * `plain`, and what is behind the result within the bound is overwritten.
   */
  compressInto(plain: Uint8Array, out: Uint8Array, outOffset: number): number;
}

export interface Decompressor {
  /** The content of `frame`, which must have exactly `contentBytes`, else `REPOSITORY_DAMAGED`. */
  decompress(frame: Uint8Array, contentBytes: number): Buffer;

  /** The same into `out` at `outOffset`; never writes more than `contentBytes`. `RangeError` when `out` is too small. */
  decompressInto(frame: Uint8Array, contentBytes: number, out: Uint8Array, outOffset: number): void;
}

/** The most that `length` bytes can take compressed. Source: `ZSTD_COMPRESSBOUND` in zstd.h. */
export function compressBound(length: number): number {
  const smallMargin = length < 131_072 ? (131_072 - length) >> 11 : 0;
  return length + Math.floor(length / 256) + smallMargin;
}

/**
 * A compressor at one zstd level. Keeps a context of some hundred KiB, which grows with the largest input.
 * `openContext` is for tests of the way without a context.
 */
export function createCompressor(
  level: number,
  openContext: typeof openCompressContext = openCompressContext,
): Compressor {
  const params = { [constants.ZSTD_c_compressionLevel]: level };
  let context = openContext(level);
  let scratch = Buffer.alloc(0);

  function compress(plain: Uint8Array): Buffer | undefined {
    const bound = compressBound(plain.length);
    // A large blob is rare: its scratch space is not kept.
    const target = bound <= maxScratchBytes ? growScratch(bound) : Buffer.allocUnsafeSlow(bound);
    const length = compressInto(plain, target, 0);
    return length === 0 ? undefined : Buffer.from(target.subarray(0, length));
  }

  function compressInto(plain: Uint8Array, out: Uint8Array, outOffset: number): number {
    if (plain.length === 0) return 0;
    const bound = compressBound(plain.length);
    if (outOffset + bound > out.length) throw new RangeError(`${bound} bytes do not fit into the output`);
    const length = context?.run(plain, out, outOffset, bound) ?? -1;
    if (length >= 0) return length < plain.length ? length : 0;
    context = undefined;
    const compressed = zstdCompressSync(plain, {
      params,
      pledgedSrcSize: plain.length,
      chunkSize: chunkFor(bound),
    });
    if (compressed.length >= plain.length) return 0;
    out.set(compressed, outOffset);
    return compressed.length;
  }

  function growScratch(size: number): Buffer {
    if (scratch.length < size) scratch = Buffer.allocUnsafeSlow(size);
    return scratch;
  }

  return { compress, compressInto };
}

/** A decompressor; keeps a context of about 100 KiB. `openContext` is for tests, as above. */
export function createDecompressor(
  openContext: typeof openDecompressContext = openDecompressContext,
): Decompressor {
  let context = openContext();

  function decompress(frame: Uint8Array, contentBytes: number): Buffer {
    // The outline first: a wanted size that the frame does not state is never allocated.
    if (!checkOutline(frame, contentBytes)) return decompressOnce(frame, contentBytes);
    const out = Buffer.allocUnsafe(contentBytes);
    decompressInto(frame, contentBytes, out, 0);
    return out;
  }

  function decompressInto(frame: Uint8Array, contentBytes: number, out: Uint8Array, outOffset: number): void {
    if (outOffset + contentBytes > out.length)
      throw new RangeError(`${contentBytes} bytes do not fit into the output`);
    const sizeStated = checkOutline(frame, contentBytes);
    // zstd stops exactly at a size that is stated. Another frame could leave the context half-way in it.
    if (sizeStated && context !== undefined) {
      if (context.run(frame, out, outOffset, contentBytes) === contentBytes) return;
      context = openContext();
      throw notDecompressed(contentBytes);
    }
    if (context !== undefined) {
      // A frame of a stream, which states no size. All of it, and nothing else, must fit; what is left of the context is not known.
      const written = context.run(frame, out, outOffset, contentBytes);
      context = openContext();
      if (written === contentBytes) return;
    }
    // Node's own way collects the output, and copies it twice.
    out.set(decompressOnce(frame, contentBytes), outOffset);
  }

  return { decompress, decompressInto };
}

const maxScratchBytes = 1024 * 1024;

/**
 * Throws unless `frame` is one whole frame, with nothing behind it, that does not state another size. True when
 * it states this one. (Node's own functions ignore what follows the first frame.)
 */
function checkOutline(frame: Uint8Array, contentBytes: number): boolean {
  const outline = readZstdFrame(frame);
  if (outline === undefined || outline.frameBytes !== frame.length) throw notDecompressed(contentBytes);
  if (outline.contentBytes === undefined) return false;
  if (outline.contentBytes !== contentBytes) throw notDecompressed(contentBytes);
  return true;
}

function decompressOnce(frame: Uint8Array, contentBytes: number): Buffer {
  let content: Buffer;
  try {
    // One more than wanted, so that "too long" shows as an error or a wrong length and never as a cut.
    const maxOutputLength = contentBytes + 1;
    content = zstdDecompressSync(frame, { maxOutputLength, chunkSize: chunkFor(maxOutputLength) });
  } catch (cause) {
    throw notDecompressed(contentBytes, cause);
  }
  if (content.length !== contentBytes) throw notDecompressed(contentBytes);
  return content;
}

/** Node collects output in chunks; one that holds all of a small blob saves copies. */
function chunkFor(size: number): number {
  return Math.max(64, Math.min(size + 64, 128 * 1024));
}

function notDecompressed(contentBytes: number, cause?: unknown): MemkeepError {
  return new MemkeepError("REPOSITORY_DAMAGED", {
    tried: "decompress data of the repository",
    happened: `it is not a zstd frame of exactly ${contentBytes} bytes`,
    cause,
  });
}
