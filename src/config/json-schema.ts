/** The JSON Schema (draft-07) of a configuration file with all kinds, for editors and other tools. */
import { knownStorageKinds, knownStoreKinds, storageSchemas, storeSchemas } from "./kinds.ts";
import { composeShape } from "./shape.ts";

export async function configJsonSchema(): Promise<unknown> {
  const shape = composeShape(await storeSchemas(knownStoreKinds), await storageSchemas(knownStorageKinds));
  return { ...shape, title: "memkeep configuration" };
}
