/**
 * Sealing: encryption with authentication, as restic does it. A sealed text is `nonce(16) || AES-256-CTR(text) ||
 * tag(16)`; the tag is Poly1305-AES over the ciphertext. Source: restic's doc/design.rst, "Keys, Encryption and MAC".
 *
 * Blobs are small (16 KiB), so what costs is the call, not the arithmetic: a CTR cipher object per blob takes longer
 * than encrypting it. Instead the counter blocks of many blobs go through one AES-ECB call (CTR is the XOR with
 * exactly that), and the rest happens in one WebAssembly unit. All functions take memory shared between threads.
 */
import { type Cipheriv, createCipheriv, timingSafeEqual } from "node:crypto";
import { MemkeepError } from "../../../domain/errors.ts";
import type { MasterKey } from "./master-key.ts";
import { createNoncePool, nonceBytes } from "./nonce-pool.ts";
import { type Poly1305Unit, poly1305Unit } from "./poly1305.ts";

const tagBytes = 16;
const blockBytes = 16;

/** A sealed text is this much longer than its plaintext. */
export const sealOverheadBytes: number = nonceBytes + tagBytes;

/** Pieces of one buffer: piece `i` of `count` is `lengths[i]` bytes at `offsets[i]`. */
export interface Pieces {
  readonly buffer: Uint8Array;
  readonly offsets: ArrayLike<number>;
  readonly lengths: ArrayLike<number>;
  readonly count: number;
}

export interface Sealer {
  /** Seals one text of any length, 0 included. */
  seal(plain: Uint8Array): Buffer;

  /** Opens one sealed text. Throws `REPOSITORY_DAMAGED` when it is not what was sealed with this key. */
  open(sealed: Uint8Array): Buffer;

  /**
   * Seals every piece, one after the other without gaps, into `out` from `outOffset`: piece `i` takes `lengths[i] +
   * sealOverheadBytes`. Returns the offset behind the last. `out` may not overlap the pieces, and throws
   * `RangeError` when `out` is too small, before anything is written.
   */
  sealBatch(pieces: Pieces, out: Uint8Array, outOffset: number): number;

  /**
   * Opens every piece into `out`, one after the other without gaps, and returns the offset behind the last. Every
   * tag is verified before the first byte is written; otherwise throws `REPOSITORY_DAMAGED` with the index of
   * the first bad piece in `details.piece`, and writes nothing. `out` may be the pieces' own buffer if the offsets
   * ascend without overlap and `outOffset` is not above the first. The pieces are read twice: another thread may
   * not change them meanwhile.
   */
  openBatch(pieces: Pieces, out: Uint8Array, outOffset: number): number;
}

/** A sealer for one key. Costs some microseconds; meant to be kept. */
export function createSealer(key: MasterKey): Sealer {
  const unit = poly1305Unit();
  const nonces = createNoncePool();
  const aes = createCipheriv("aes-256-ecb", key.encrypt, null).setAutoPadding(false);
  const padAes = createCipheriv("aes-128-ecb", key.macK, null).setAutoPadding(false);

  function seal(plain: Uint8Array): Buffer {
    const out = Buffer.allocUnsafe(plain.length + sealOverheadBytes);
    sealBatch(wholeOf(plain), out, 0);
    return out;
  }

  function open(sealed: Uint8Array): Buffer {
    const out = Buffer.allocUnsafe(Math.max(0, sealed.length - sealOverheadBytes));
    openBatch(wholeOf(sealed), out, 0);
    return out;
  }

  function sealBatch(pieces: Pieces, out: Uint8Array, outOffset: number): number {
    const end = checkRanges(pieces, out, outOffset, sealOverheadBytes);
    let at = outOffset;
    for (let first = 0; first < pieces.count; first += unit.round) {
      at = sealRound(pieces, first, Math.min(pieces.count, first + unit.round), out, at);
    }
    return end;
  }

  function openBatch(pieces: Pieces, out: Uint8Array, outOffset: number): number {
    for (let index = 0; index < pieces.count; index++) {
      if (pieces.lengths[index]! < sealOverheadBytes) throw notSealed(index);
    }
    const end = checkRanges(pieces, out, outOffset, -sealOverheadBytes);
    for (let first = 0; first < pieces.count; first += unit.round) {
      verifyRound(pieces, first, Math.min(pieces.count, first + unit.round));
    }
    let at = outOffset;
    for (let first = 0; first < pieces.count; first += unit.round) {
      at = decryptRound(pieces, first, Math.min(pieces.count, first + unit.round), out, at);
    }
    return end;
  }

  function sealRound(pieces: Pieces, first: number, end: number, out: Uint8Array, outOffset: number): number {
    const { wasm, memory } = unit;
    nonces.take(end - first, memory, wasm.NONCES.value);
    startTags(end - first);
    let at = outOffset;
    encryptPieces(pieces, first, end, 0, (index, from, length, total, area) => {
      const entry = index - first;
      if (from === 0) {
        wasm.reset();
        copy(memory, wasm.NONCES.value + entry * nonceBytes, nonceBytes, out, at);
        at += nonceBytes;
      }
      const last = from + length === total;
      const whole = last ? length - (length % blockBytes) : length;
      wasm.update(area, whole);
      copy(memory, area, length, out, at);
      at += length;
      if (last) {
        wasm.finish(area + whole, length - whole, entry);
        copy(memory, wasm.TAGS.value + entry * tagBytes, tagBytes, out, at);
        at += tagBytes;
      }
    });
    return at;
  }

  function verifyRound(pieces: Pieces, first: number, end: number): void {
    const { wasm, memory, text, area } = unit;
    loadNonces(pieces, first, end);
    startTags(end - first);
    const found = Buffer.allocUnsafe((end - first) * tagBytes);
    for (let index = first; index < end; index++) {
      const stop = pieces.offsets[index]! + pieces.lengths[index]! - tagBytes;
      wasm.reset();
      let from = pieces.offsets[index]! + nonceBytes;
      do {
        const length = Math.min(stop - from, area);
        copy(pieces.buffer, from, length, memory, text);
        from += length;
        const whole = length - (length % blockBytes);
        wasm.update(text, whole);
        if (from === stop) wasm.finish(text + whole, length - whole, index - first);
      } while (from < stop);
      copy(pieces.buffer, stop, tagBytes, found, (index - first) * tagBytes);
    }
    const expected = memory.subarray(wasm.TAGS.value, wasm.TAGS.value + found.length);
    if (timingSafeEqual(expected, found)) return;
    for (let at = 0; at < found.length; at += tagBytes) {
      if (!timingSafeEqual(expected.subarray(at, at + tagBytes), found.subarray(at, at + tagBytes))) {
        throw notSealed(first + at / tagBytes);
      }
    }
  }

  function decryptRound(
    pieces: Pieces,
    first: number,
    end: number,
    out: Uint8Array,
    outOffset: number,
  ): number {
    loadNonces(pieces, first, end);
    let at = outOffset;
    encryptPieces(pieces, first, end, sealOverheadBytes, (_index, _from, length, _total, area) => {
      copy(unit.memory, area, length, out, at);
      at += length;
    });
    return at;
  }

  /** Puts the nonces of sealed pieces into their table. */
  function loadNonces(pieces: Pieces, first: number, end: number): void {
    for (let index = first; index < end; index++) {
      const to = unit.wasm.NONCES.value + (index - first) * nonceBytes;
      copy(pieces.buffer, pieces.offsets[index]!, nonceBytes, unit.memory, to);
    }
  }

  /** Makes the pads of `count` nonces in one call, and sets the unit to this key. */
  function startTags(count: number): void {
    const { wasm, memory } = unit;
    memory.set(
      padAes.update(memory.subarray(wasm.NONCES.value, wasm.NONCES.value + count * nonceBytes)),
      wasm.PADS.value,
    );
    memory.set(key.macR, wasm.KEY.value);
    wasm.loadKey();
  }

  function encryptPieces(pieces: Pieces, first: number, end: number, overhead: number, take: TakePart): void {
    applyKeyStream(unit, aes, pieces, first, end, overhead, take);
  }

  return { seal, open, sealBatch, openBatch };
}

/** `length` bytes from `from` of piece `index`, of `total`, are done and lie in the unit's memory at `area`. */
type TakePart = (index: number, from: number, length: number, total: number, area: number) => void;

/**
 * Encrypts or decrypts (in CTR the same) the pieces `first` to `end`, as many at a time as the work area holds.
 * A piece that does not fit comes in parts; all but its last part are whole blocks. `overhead`: what the pieces
 * have around the text, nonce before and tag behind.
 */
function applyKeyStream(
  unit: Poly1305Unit,
  aes: Cipheriv,
  pieces: Pieces,
  first: number,
  end: number,
  overhead: number,
  take: TakePart,
): void {
  const { wasm, memory, text, stream, area } = unit;
  const lead = overhead === 0 ? 0 : nonceBytes;
  let index = first;
  let from = 0;
  while (index < end) {
    const startIndex = index;
    const startFrom = from;
    let used = 0;
    while (index < end) {
      const left = pieces.lengths[index]! - overhead - from;
      const length = Math.min(left, area - used);
      if (length === 0 && left > 0) break;
      copy(pieces.buffer, pieces.offsets[index]! + lead + from, length, memory, text + used);
      const blocks = Math.ceil(length / blockBytes);
      wasm.counters(index - first, from / blockBytes, stream + used, blocks);
      used += blocks * blockBytes;
      from += length;
      if (length < left) break;
      index++;
      from = 0;
    }
    if (used > 0) memory.set(aes.update(memory.subarray(stream, stream + used)), stream);
    wasm.xor(used);

    let at = text;
    for (let i = startIndex, start = startFrom; i < index || (i === index && from > start); i++, start = 0) {
      const total = pieces.lengths[i]! - overhead;
      const length = (i < index ? total : from) - start;
      take(i, start, length, total, at);
      at += Math.ceil(length / blockBytes) * blockBytes;
    }
  }
}

/** Throws `RangeError` when a piece lies outside its buffer or the result does not fit; returns where it ends. */
function checkRanges(pieces: Pieces, out: Uint8Array, outOffset: number, growth: number): number {
  let end = outOffset;
  for (let index = 0; index < pieces.count; index++) {
    const offset = pieces.offsets[index]!;
    const length = pieces.lengths[index]!;
    if (!(offset >= 0 && length >= 0 && offset + length <= pieces.buffer.length)) {
      throw new RangeError(`piece ${index} (${length} bytes at ${offset}) is outside its buffer`);
    }
    end += length + growth;
  }
  if (!(outOffset >= 0 && end <= out.length)) {
    throw new RangeError(`${end} bytes do not fit into an output of ${out.length}`);
  }
  return end;
}

function wholeOf(buffer: Uint8Array): Pieces {
  return { buffer, offsets: [0], lengths: [buffer.length], count: 1 };
}

function copy(from: Uint8Array, fromOffset: number, length: number, to: Uint8Array, toOffset: number): void {
  to.set(from.subarray(fromOffset, fromOffset + length), toOffset);
}

function notSealed(piece: number): MemkeepError {
  return new MemkeepError("REPOSITORY_DAMAGED", {
    tried: "decrypt data of the repository",
    happened: "its authentication tag does not match: it was changed, cut short or sealed with another key",
    details: { piece },
  });
}
