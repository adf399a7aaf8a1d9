/** A repository inside a store's folder would back itself up, and go with the store when that is lost. */
import { resolve, sep } from "node:path";
import { MemkeepError } from "../../domain/errors.ts";
import type { StackRepository } from "../stack.ts";
import type { ConnectedStore } from "./open-stack.ts";

export function refuseNested(
  stores: readonly ConnectedStore[],
  repositories: readonly StackRepository[],
): void {
  for (const { name, description } of stores) {
    for (const path of description.localPaths) {
      for (const repository of repositories) {
        if (repository.localPath === undefined || !isInside(repository.localPath, path)) continue;
        throw new MemkeepError("CONFIG_INVALID", {
          tried: "begin the backup",
          happened: `the repository ${repository.name} (${repository.localPath}) lies inside the store ${name} (${path})`,
          next: "Put the repository elsewhere, best on another disk.",
        });
      }
    }
  }
}

function isInside(path: string, folder: string): boolean {
  const inner = resolve(path);
  const outer = resolve(folder);
  return inner === outer || inner.startsWith(outer.endsWith(sep) ? outer : outer + sep);
}
