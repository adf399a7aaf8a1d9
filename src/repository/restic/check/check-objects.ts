/** The files that are no packs: config, keys, proofs and locks, each against its own name. */
import { hash } from "node:crypto";
import { isMemkeepError, reasonOf } from "../../../domain/errors.ts";
import { configRemedy, readConfig } from "../config-file.ts";
import type { Premises } from "../premises.ts";
import { readProofs } from "../proofs.ts";
import { asDamage } from "./as-damage.ts";
import type { Damage } from "./damage.ts";

const copyRemedy = (file: string): string =>
  `Bring the file \`${file}\` back from another copy of the repository.`;

/** `snapshots`: the ids of all snapshots; without config or keys none of them can be opened again. */
export async function checkObjects(
  premises: Premises,
  damage: Damage,
  snapshots: ReadonlySet<string>,
): Promise<string[]> {
  await checkConfig(premises, damage, snapshots);
  await checkKeys(premises, damage, snapshots);
  await checkLocks(premises, damage);
  return checkProofs(premises, damage, snapshots);
}

async function checkConfig(
  { storage, sealer }: Premises,
  damage: Damage,
  snapshots: Iterable<string>,
): Promise<void> {
  try {
    await readConfig(storage, sealer);
  } catch (error) {
    damage.add("config", asDamage(error).message, configRemedy, snapshots);
  }
}

async function checkKeys({ storage }: Premises, damage: Damage, snapshots: Iterable<string>): Promise<void> {
  const broken: string[] = [];
  let whole = 0;
  for await (const { name } of storage.list("keys/")) {
    const id = /^keys\/([0-9a-f]{64})$/.exec(name)?.[1];
    if (id === undefined) continue;
    try {
      if (hash("sha256", await storage.read(name)) === id) whole++;
      else broken.push(name);
    } catch (error) {
      asDamage(error);
      broken.push(name);
    }
  }
  const last = whole === 0 ? "; no other key is whole, so nothing can be opened again" : "";
  for (const name of broken) {
    const harmed = whole === 0 ? snapshots : [];
    damage.add(name, `its content does not match its name${last}`, copyRemedy(name), harmed);
  }
  if (whole === 0 && broken.length === 0) {
    damage.add("keys", "no key is there, so nothing can be opened again", copyRemedy("keys"), snapshots);
  }
}

async function checkLocks({ objects }: Premises, damage: Damage): Promise<void> {
  for await (const { id, sizeBytes } of objects.list("locks")) {
    if (sizeBytes === 0) continue;
    try {
      await objects.load("locks", id);
    } catch (error) {
      if (!isMemkeepError(error, "REPOSITORY_DAMAGED")) continue;
      damage.add(
        `locks/${id}`,
        reasonOf(error),
        "Run `memkeep unlock --all` when nobody works on the repository.",
      );
    }
  }
}

async function checkProofs(
  { objects }: Premises,
  damage: Damage,
  snapshots: ReadonlySet<string>,
): Promise<string[]> {
  const { proofs, damaged } = await readProofs(objects);
  for (const [id, error] of damaged) {
    damage.add(
      `memkeep/proofs/${id}`,
      reasonOf(error),
      "Run `memkeep repository repair` to remove it, then `memkeep verify`.",
    );
  }
  const orphans = proofs.filter(({ proof }) => !snapshots.has(proof.snapshot));
  if (orphans.length === 0) return [];
  return [
    `${orphans.length} proofs speak of snapshots that are gone; the next \`memkeep forget\` removes them`,
  ];
}
