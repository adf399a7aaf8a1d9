/** What a loader gives, and how it says that it cannot. */
import { MemkeepError } from "../../../domain/errors.ts";
import { packName } from "../pack/pack-name.ts";

export interface Loaded {
  readonly bytes: Buffer;
  /** Gives the memory back; nobody may read `bytes` afterwards. */
  release(): void;
}

export function damagedChunks(packId: string, damaged: number, wanted: number): MemkeepError {
  return new MemkeepError("REPOSITORY_DAMAGED", {
    tried: "read a file of the snapshot",
    happened: `${damaged} of ${wanted} chunks in ${packName(packId).slice(0, 16)}… are not what their ids say`,
    next: "Run `memkeep verify --level stored` to see which snapshots are harmed; another repository may have them whole.",
    details: { pack: packId },
  });
}
