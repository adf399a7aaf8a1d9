/**
 * Proofs: sealed JSON under `memkeep/proofs/`, one file each. Stock restic passes over that folder. A proof belongs to
 * the repository in which the snapshot was verified; nothing copies it to another.
 */
import { z } from "zod";
import { MemkeepError, isMemkeepError } from "../../domain/errors.ts";
import type { Proof } from "../repository.ts";
import type { Objects } from "./objects/objects.ts";

const VerifyLevel = z.enum(["stored", "decoded", "restored"]);
const ProofJson = z.object({
  snapshot: z.string(),
  level: VerifyLevel,
  ok: z.boolean(),
  at: z.string(),
  program: z.string(),
  durationMs: z.number(),
  stores: z.array(z.object({ name: z.string(), level: VerifyLevel, records: z.number() })),
});

interface StoredProof {
  readonly id: string;
  readonly proof: Proof;
}

export interface StoredProofs {
  readonly proofs: readonly StoredProof[];
  /** Ids of those that cannot be read, each with its error. */
  readonly damaged: ReadonlyMap<string, MemkeepError>;
}

/** All proofs, in no order. */
export async function readProofs(objects: Objects): Promise<StoredProofs> {
  const proofs: StoredProof[] = [];
  const damaged = new Map<string, MemkeepError>();
  for await (const { id } of objects.list("memkeep/proofs")) {
    try {
      proofs.push({ id, proof: parseProof(id, await objects.load("memkeep/proofs", id)) });
    } catch (error) {
      // Forgotten since it was listed.
      if (isMemkeepError(error, "STORAGE_MISSING")) continue;
      if (!isMemkeepError(error, "REPOSITORY_DAMAGED")) throw error;
      damaged.set(id, error);
    }
  }
  return { proofs, damaged };
}

/**
 * All proofs, or `REPOSITORY_DAMAGED` when one cannot be read: retention would otherwise take the snapshot of which it
 * speaks for one that nobody verified (law 6).
 */
export async function readAllProofs(objects: Objects): Promise<Proof[]> {
  const { proofs, damaged } = await readProofs(objects);
  const [first] = damaged.values();
  if (first) throw first;
  return proofs.map(({ proof }) => proof);
}

/** Durable when it resolves. */
export async function writeProof(objects: Objects, proof: Proof): Promise<void> {
  await objects.save("memkeep/proofs", JSON.stringify(proof));
}

function parseProof(id: string, json: Buffer): Proof {
  try {
    return ProofJson.parse(JSON.parse(json.toString("utf8")));
  } catch (cause) {
    throw new MemkeepError("REPOSITORY_DAMAGED", {
      tried: `read proof ${id.slice(0, 8)}`,
      happened: "it is not what a proof looks like",
      next: "Run `memkeep repository repair` to remove it, then `memkeep verify`.",
      cause,
    });
  }
}
