/** Which of several proofs of a snapshot speaks for it. */
import type { Proof } from "../../repository/repository.ts";

const levels = ["stored", "decoded", "restored"];

/**
 * By snapshot. A proof that failed is told before any other, unless a later one of at least its level succeeded.
 */
export function bestProofs(proofs: readonly Proof[]): Map<string, Proof> {
  const best = new Map<string, Proof>();
  for (const proof of [...proofs].sort((a, b) => Date.parse(a.at) - Date.parse(b.at))) {
    const before = best.get(proof.snapshot);
    const rank = levels.indexOf(proof.level) - levels.indexOf(before?.level ?? "stored");
    if (!before || !proof.ok || rank >= 0) best.set(proof.snapshot, proof);
  }
  return best;
}
