/** The schemas of the adaptors in use; no others are loaded. */
import { storageKinds } from "../storages/index.ts";
import { storeKinds } from "../stores/index.ts";
import type { KindSchema } from "./shape.ts";

export const knownStoreKinds: readonly string[] = Object.keys(storeKinds);
export const knownStorageKinds: readonly string[] = storageKinds.map(({ kind }) => kind);

/** Of the kinds named; unknown names are passed over. */
export function storeSchemas(kinds: Iterable<string>): Promise<KindSchema[]> {
  const wanted = new Set(kinds);
  return Promise.all(
    Object.values(storeKinds)
      .filter(({ kind }) => wanted.has(kind))
      .map(async ({ kind, config }) => ({ kind, schema: (await config()).schema })),
  );
}

export function storageSchemas(kinds: Iterable<string>): Promise<KindSchema[]> {
  const wanted = new Set(kinds);
  return Promise.all(
    storageKinds
      .filter(({ kind }) => wanted.has(kind))
      .map(async (registration) => ({ kind: registration.kind, schema: await registration.schema() })),
  );
}
