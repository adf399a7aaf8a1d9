/** Copies blobs of old packs into new ones. They stay sealed as they are, since the key is the same. */
import { MemkeepError } from "../../../domain/errors.ts";
import { BlobIndex } from "../index/blob-index.ts";
import { PackWriter } from "../pipeline/pack-writer.ts";
import { transferBlobs } from "../pipeline/transfer-blobs.ts";
import type { Premises } from "../premises.ts";

export interface CopySource {
  readonly index: BlobIndex;
  /** Entries to copy, pack by pack. */
  readonly packs: Iterable<readonly number[]>;
}

/**
 * When it resolves, the copies are durable and indexed. Until then the old packs are untouched, so a crash leaves nothing but
 * second copies. `REPOSITORY_DAMAGED` for a blob that is not what its id says.
 */
export async function copyBlobs(
  premises: Premises,
  source: CopySource,
  mayWrite: () => Promise<void>,
): Promise<void> {
  const { storage, sealer, objects, clock } = premises;
  const written = new BlobIndex();
  const workers = premises.workers();
  const writer = new PackWriter({
    storage,
    sealer,
    objects,
    index: written,
    clock,
    digest: (input, length) => workers.digest(input, length),
    mayWrite,
  });
  await transferBlobs(
    { storage, index: source.index, workers, writer, written },
    source.packs,
    (_entry, name, cause) => {
      throw cause ?? damagedPack(name);
    },
  );
  await writer.flush();
}

function damagedPack(name: string): MemkeepError {
  return new MemkeepError("REPOSITORY_DAMAGED", {
    tried: "copy blobs that are in use",
    happened: `one of those in ${name.slice(0, 16)}… is not what its id says`,
    next: "No snapshot lost anything. Run `memkeep verify --level stored`, then `memkeep repository repair`.",
    details: { pack: name },
  });
}
