/** Reads the snapshot files of a repository. */
import { MemkeepError, isMemkeepError } from "../../../domain/errors.ts";
import type { OnDamagedSnapshot } from "../../repository.ts";
import type { Objects } from "./objects.ts";
import { type LoadedSnapshot, readSnapshot } from "./snapshot-info.ts";

const readsAtOnce = 8;

/**
 * All snapshots, in no order. One that cannot be read is told to `onDamaged` and left out; without `onDamaged` it is a
 * `REPOSITORY_DAMAGED`.
 */
export async function loadSnapshots(
  objects: Objects,
  onDamaged?: OnDamagedSnapshot,
): Promise<LoadedSnapshot[]> {
  const ids: string[] = [];
  for await (const { id } of objects.list("snapshots")) ids.push(id);
  const loaded: LoadedSnapshot[] = [];
  const next = ids.values();
  await Promise.all(
    Array.from({ length: readsAtOnce }, async () => {
      for (const id of next) {
        try {
          const snapshot = await loadSnapshot(objects, id);
          if (snapshot) loaded.push(snapshot);
        } catch (error) {
          if (!onDamaged || !isMemkeepError(error, "REPOSITORY_DAMAGED")) throw error;
          onDamaged(id, error);
        }
      }
    }),
  );
  return loaded;
}

/** Undefined when there is none, as when it was forgotten since it was listed. */
export async function loadSnapshot(objects: Objects, id: string): Promise<LoadedSnapshot | undefined> {
  try {
    return readSnapshot(id, await objects.load("snapshots", id));
  } catch (error) {
    if (isMemkeepError(error, "STORAGE_MISSING")) return undefined;
    throw error;
  }
}

/** The snapshot, or `SNAPSHOT_NOT_FOUND`. */
export async function mustLoadSnapshot(objects: Objects, id: string): Promise<LoadedSnapshot> {
  const snapshot = await loadSnapshot(objects, id);
  if (snapshot) return snapshot;
  throw new MemkeepError("SNAPSHOT_NOT_FOUND", {
    tried: `open snapshot ${id.slice(0, 8)}`,
    happened: "the repository has no such snapshot",
    next: "Run `memkeep snapshots` to see what there is.",
  });
}
