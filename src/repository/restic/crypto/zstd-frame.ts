/**
 * Reads the outline of a zstd frame without decompressing it: how long the frame is and how long its content is.
 * Source: RFC 8878, section 3.1.1.
 */

export interface ZstdFrame {
  /** Bytes of the frame: header, blocks and checksum. */
  readonly frameBytes: number;
  /** Bytes of the content, if the header says it. */
  readonly contentBytes: number | undefined;
}

const magicNumber = 0xfd2fb528;
const dictionaryIdBytes = [0, 1, 2, 4] as const;
const contentSizeBytes = [0, 2, 4, 8] as const;

/** The outline of the frame at the start of `bytes`; undefined when there is no complete standard frame. */
export function readZstdFrame(bytes: Uint8Array): ZstdFrame | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < 6 || view.getUint32(0, true) !== magicNumber) return undefined;
  const descriptor = bytes[4]!;
  const singleSegment = (descriptor & 0x20) !== 0;
  const dictionaryIdSize = dictionaryIdBytes[descriptor & 3]!;
  // A single segment has no window byte, and always a content size.
  const contentSizeSize = descriptor >> 6 === 0 && singleSegment ? 1 : contentSizeBytes[descriptor >> 6]!;
  let at = 5 + (singleSegment ? 0 : 1) + dictionaryIdSize;
  if (at + contentSizeSize > bytes.length) return undefined;
  const contentBytes = readContentSize(view, at, contentSizeSize);
  at += contentSizeSize;

  let lastBlock = false;
  while (!lastBlock) {
    if (at + 3 > bytes.length) return undefined;
    const header = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);
    lastBlock = (header & 1) !== 0;
    const runLength = ((header >> 1) & 3) === 1; // one byte, repeated
    at += 3 + (runLength ? 1 : header >> 3);
  }
  if ((descriptor & 4) !== 0) at += 4; // checksum
  return at <= bytes.length ? { frameBytes: at, contentBytes } : undefined;
}

function readContentSize(view: DataView, at: number, size: number): number | undefined {
  switch (size) {
    case 1:
      return view.getUint8(at);
    case 2:
      return view.getUint16(at, true) + 256;
    case 4:
      return view.getUint32(at, true);
    case 8:
      return Number(view.getBigUint64(at, true));
    default:
      return undefined;
  }
}
