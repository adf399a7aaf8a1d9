/** Removes snapshots, and the proofs that only spoke of them. */
import { MemkeepError } from "../../../domain/errors.ts";
import { permission, type Premises } from "../premises.ts";
import { readProofs } from "../proofs.ts";

/**
 * Under an exclusive lock. `SNAPSHOT_NOT_FOUND`, before anything is removed, when one is not there. A snapshot file that is
 * damaged can be removed too. Proofs go after their snapshots, and with them those whose snapshot stock restic removed.
 */
export async function forget(premises: Premises, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await using lock = await premises.lock({ exclusive: true });
  const { objects } = premises;
  const mayWrite = permission(premises, lock);
  const there = new Set<string>();
  for await (const { id } of objects.list("snapshots")) there.add(id);
  const missing = ids.find((id) => !there.has(id));
  if (missing !== undefined) {
    throw new MemkeepError("SNAPSHOT_NOT_FOUND", {
      tried: `forget snapshot ${missing.slice(0, 8)}`,
      happened: "the repository has no such snapshot; none was forgotten",
      next: "Run `memkeep snapshots` to see what there is.",
    });
  }
  // Read first: what cannot be read must stop this before anything is removed.
  const { proofs } = await readProofs(objects);
  for (const id of ids) {
    await mayWrite();
    await objects.remove("snapshots", id);
    there.delete(id);
  }
  for (const { id, proof } of proofs) {
    if (there.has(proof.snapshot)) continue;
    await mayWrite();
    await objects.remove("memkeep/proofs", id);
  }
}
