import { join } from "node:path";

import { exists } from "../cache.ts";

/**
 * The path of a file that is no part of this repository, or undefined where it is missing: `data/<name>` in the folder that
 * `MEMKEEP_SHARED` names, else in `shared` beside the checkout.
 */
export async function sharedData(name: string): Promise<string | undefined> {
  const file = join(sharedFolder(), "data", name);
  return (await exists(file)) ? file : undefined;
}

function sharedFolder(): string {
  return process.env["MEMKEEP_SHARED"] ?? join(import.meta.dirname, "../../../../shared");
}
