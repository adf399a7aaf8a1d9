/** Reads a pack's header from the end of its file, without the blobs before it. */
import { MemkeepError } from "../../../domain/errors.ts";
import type { Storage } from "../../../storages/storage.ts";
import type { Sealer } from "../crypto/seal.ts";
import { decodeHeader, maximumHeaderBytes, type PackEntry, packTrailerBytes } from "./pack-header.ts";
import { type ListedPack, packName } from "./pack-name.ts";

/** The first request takes so much of the end: the header of most packs of 16 KiB blobs. */
const firstReadBytes = 64 * 1024;

/** `REPOSITORY_DAMAGED` when the header cannot be opened or does not describe a file of this size. */
export async function readPackHeader(
  storage: Storage,
  sealer: Sealer,
  { id, sizeBytes }: ListedPack,
): Promise<PackEntry[]> {
  const name = packName(id);
  if (sizeBytes < packTrailerBytes) throw damaged(name, `it has only ${sizeBytes} bytes`);
  const tailBytes = Math.min(sizeBytes, firstReadBytes);
  let tail = await storage.read(name, { offset: sizeBytes - tailBytes, length: tailBytes });
  const sealedBytes = tail.readUInt32LE(tail.length - 4);
  if (sealedBytes > Math.min(sizeBytes - 4, maximumHeaderBytes))
    throw damaged(name, "its header has no possible length");
  if (sealedBytes + 4 > tail.length) {
    tail = await storage.read(name, { offset: sizeBytes - sealedBytes - 4, length: sealedBytes + 4 });
  }
  const entries = decodeHeader(sealer.open(tail.subarray(tail.length - 4 - sealedBytes, tail.length - 4)));
  const blobBytes = entries.reduce((sum, entry) => sum + entry.length, 0);
  if (blobBytes + sealedBytes + 4 !== sizeBytes)
    throw damaged(name, "its header describes a file of another size");
  return entries;
}

function damaged(name: string, happened: string): MemkeepError {
  return new MemkeepError("REPOSITORY_DAMAGED", { tried: `read the header of ${name}`, happened });
}
