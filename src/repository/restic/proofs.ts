/**
 * Proofs: sealed JSON under `memkeep/proofs/`, one file each. Stock restic passes over that folder. A proof belongs to
 * the repository in which the snapshot was verified; nothing copies it to another.
 */
import { z } from "zod";
import { MemkeepError, isMemkeepError } from "../../domain/errors.ts";
import type { Proof } from "../repository.ts";
import type { Objects } from "./objects/objects.ts";

/** Raised when a reader of the old format could not read the new one. Proofs of 0.1.0 have none, and are of version 1. */
const proofVersion = 1;

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

/** All proofs, in no order. `REPOSITORY_VERSION` for one of a newer memkeep: it is neither none nor damaged. */
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
  await objects.save("memkeep/proofs", JSON.stringify({ version: proofVersion, ...proof }));
}

function parseProof(id: string, text: Buffer): Proof {
  try {
    const json: unknown = JSON.parse(text.toString("utf8"));
    const { version } = z.object({ version: z.number().default(1) }).parse(json);
    if (version > proofVersion) throw newerProof(id, version);
    return ProofJson.parse(json);
  } catch (cause) {
    if (cause instanceof MemkeepError) throw cause;
    throw new MemkeepError("REPOSITORY_DAMAGED", {
      tried: `read proof ${id.slice(0, 8)}`,
      happened: "it is not what a proof looks like",
      next: "Run `memkeep repository repair` to remove it, then `memkeep verify`.",
      cause,
    });
  }
}

function newerProof(id: string, version: number): MemkeepError {
  return new MemkeepError("REPOSITORY_VERSION", {
    tried: `read proof ${id.slice(0, 8)}`,
    happened: `it has version ${version}, this memkeep reads up to ${proofVersion}`,
    next: "Use a newer memkeep on this repository. Restores work with this one too.",
  });
}
