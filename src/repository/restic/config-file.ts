/** The `config` file of a repository: its id, format version and polynomial. Sealed raw JSON, never compressed. */
import { hash, randomBytes } from "node:crypto";
import { z } from "zod";
import { MemkeepError } from "../../domain/errors.ts";
import type { Storage } from "../../storages/storage.ts";
import type { MasterKey } from "./crypto/master-key.ts";
import type { Sealer } from "./crypto/seal.ts";
import { isIrreducible, randomPolynomial } from "./polynomial.ts";

const ConfigFile = z.object({
  version: z.number().int(),
  id: z.string().regex(/^[0-9a-f]{64}$/),
  chunker_polynomial: z.string().regex(/^[0-9a-f]{1,16}$/),
});

export interface RepositoryConfig {
  readonly id: string;
  readonly polynomial: string;
}

const supportedVersion = 2;

/** It holds the place where files are cut, no secret and no data. */
export const configRemedy =
  "Bring the file `config` back from another copy of the repository; it never changes after init. " +
  "If there is none, run `memkeep repository repair` to make a new one: snapshots stay whole, and the next backup stores everything once more.";

/** A fresh config. `polynomial`: that of another repository, so that both cut files in the same places. */
export function newConfig(polynomial: string = randomPolynomial()): RepositoryConfig {
  return { id: randomBytes(32).toString("hex"), polynomial };
}

/** In the place of a config that is lost, for reading: names the cache's folder, the same each time. Nothing is cut by it. */
export function substituteConfig(key: MasterKey): RepositoryConfig {
  return {
    id: hash("sha256", Buffer.concat([Buffer.from("memkeep lost config"), key.macR])),
    polynomial: "",
  };
}

/** `STORAGE_EXISTS` when there is a config already. */
export async function writeConfig(storage: Storage, sealer: Sealer, config: RepositoryConfig): Promise<void> {
  const json = JSON.stringify({
    version: supportedVersion,
    id: config.id,
    chunker_polynomial: config.polynomial,
  });
  await storage.write("config", [sealer.seal(Buffer.from(json))]);
}

/** `REPOSITORY_VERSION` for a format that this memkeep does not write, `REPOSITORY_DAMAGED` when it makes no sense. */
export async function readConfig(storage: Storage, sealer: Sealer): Promise<RepositoryConfig> {
  let raw: z.infer<typeof ConfigFile>;
  try {
    raw = ConfigFile.parse(JSON.parse(sealer.open(await storage.read("config")).toString("utf8")));
  } catch (cause) {
    if (cause instanceof MemkeepError && cause.code.startsWith("STORAGE_")) throw cause;
    throw new MemkeepError("REPOSITORY_DAMAGED", {
      tried: `open the repository at ${storage.location}`,
      happened: "its config file is damaged",
      next: configRemedy,
      cause,
    });
  }
  if (raw.version !== supportedVersion) {
    throw new MemkeepError("REPOSITORY_VERSION", {
      tried: `open the repository at ${storage.location}`,
      happened: `it has format version ${raw.version}, memkeep reads and writes version ${supportedVersion}`,
      next: raw.version === 1 ? "Run `restic migrate upgrade_repo_v2` on it." : "Use a newer memkeep.",
    });
  }
  if (!isIrreducible(BigInt(`0x${raw.chunker_polynomial}`))) {
    throw new MemkeepError("REPOSITORY_DAMAGED", {
      tried: `open the repository at ${storage.location}`,
      happened: "the polynomial in its config is not irreducible",
    });
  }
  return { id: raw.id, polynomial: raw.chunker_polynomial };
}
