/** Names of packs in the storage. */
import type { Storage } from "../../../storages/storage.ts";

const packPattern = /^data\/([0-9a-f]{2})\/(\1[0-9a-f]{62})$/;

export function packName(id: string): string {
  return `data/${id.slice(0, 2)}/${id}`;
}

export interface ListedPack {
  readonly id: string;
  readonly sizeBytes: number;
}

/** All packs, in no order. Names that are none are passed over, as restic does. */
export async function* listPacks(storage: Storage): AsyncGenerator<ListedPack> {
  for await (const { name, sizeBytes } of storage.list("data/")) {
    const id = packPattern.exec(name)?.[2];
    if (id !== undefined) yield { id, sizeBytes };
  }
}
