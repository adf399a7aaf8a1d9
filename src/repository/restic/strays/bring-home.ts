/**
 * Gives files their own names again. The name of a file is the SHA-256 of its bytes, so its bytes tell where it belongs, whatever
 * it is called now. Nothing is removed before a copy of it is durable elsewhere; interrupted, it can be run again.
 */
import { hash } from "node:crypto";
import { isMemkeepError } from "../../../domain/errors.ts";
import type { Storage } from "../../../storages/storage.ts";
import { asDamage } from "../check/as-damage.ts";
import type { Objects } from "../objects/objects.ts";
import { readSnapshot } from "../objects/snapshot-info.ts";
import type { Premises } from "../premises.ts";
import { findStrays } from "./find-strays.ts";

type Permission = () => Promise<void>;

/** Where snapshots wait for their names: two that were swapped stand in each other's place. */
const rescue = "memkeep/rescue";

/** Under the caller's exclusive lock. Returns how many files have come to their places. */
export async function bringHome(premises: Premises, mayWrite: Permission): Promise<number> {
  const { storage } = premises;
  let moved = 0;
  const strays = await Array.fromAsync(findStrays(storage));
  for (const { name, id, home, isNoFile } of strays) {
    if (isNoFile) continue;
    const bytes = await readWhole(storage, name);
    if (bytes === undefined || hash("sha256", bytes) !== id) continue;
    // Where capitals make no difference one file answers to both names, and must not be removed by either.
    if (home.toLowerCase() === name.toLowerCase() && (await storage.stat(home))) continue;
    await mayWrite();
    await writeUnlessThere(storage, home, bytes);
    await storage.remove(name);
    // Through a mount or a link both names may have been one file.
    if (!(await storage.stat(home))) await storage.write(home, [bytes]);
    moved++;
  }
  await setMisnamedAside(premises, mayWrite);
  return moved + (await bringRescuedHome(premises, mayWrite));
}

/**
 * Snapshots under the id of another. A key file is left alone: damage within its text would not show, and with a fitting
 * name it would pass for whole.
 */
async function setMisnamedAside({ storage, objects }: Premises, mayWrite: Permission): Promise<void> {
  const ids = await Array.fromAsync(objects.list("snapshots"), ({ id }) => id);
  for (const id of ids) {
    const bytes = await readWhole(storage, `snapshots/${id}`);
    if (bytes === undefined) continue;
    const own = hash("sha256", bytes);
    if (own === id) continue;
    await mayWrite();
    await writeUnlessThere(storage, `${rescue}/${own}`, bytes);
    const isSnapshot = await isWholeSnapshot(objects, own);
    await storage.remove(isSnapshot ? `snapshots/${id}` : `${rescue}/${own}`);
  }
}

async function bringRescuedHome({ storage, objects }: Premises, mayWrite: Permission): Promise<number> {
  const ids = await Array.fromAsync(objects.list(rescue), ({ id }) => id);
  let moved = 0;
  for (const id of ids) {
    await mayWrite();
    if (await isWholeSnapshot(objects, id)) {
      await writeUnlessThere(storage, `snapshots/${id}`, await storage.read(`${rescue}/${id}`));
      moved++;
    }
    await storage.remove(`${rescue}/${id}`);
  }
  return moved;
}

async function isWholeSnapshot(objects: Objects, id: string): Promise<boolean> {
  try {
    readSnapshot(id, await objects.load(rescue, id));
    return true;
  } catch (error) {
    if (!isMemkeepError(error, "REPOSITORY_DAMAGED")) throw error;
    return false;
  }
}

async function readWhole(storage: Storage, name: string): Promise<Buffer | undefined> {
  try {
    return await storage.read(name);
  } catch (error) {
    // Damage stays where it is, for the check to tell; a storage that does not answer stops the repair.
    asDamage(error);
    return undefined;
  }
}

async function writeUnlessThere(storage: Storage, name: string, bytes: Buffer): Promise<void> {
  try {
    await storage.write(name, [bytes]);
  } catch (error) {
    if (!isMemkeepError(error, "STORAGE_EXISTS")) throw error;
  }
}
