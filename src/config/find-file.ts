/** Finds the configuration file. */
import { access } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { errnoOf } from "../util/fs/durable.ts";
import type { Environment } from "./environment.ts";

export interface FoundFile {
  /** As it was given or found, for messages. */
  readonly path: string;
  /** Named by a flag or a variable: then it must be there. */
  readonly named: boolean;
}

/** `--config`, `MEMKEEP_CONFIG`, `./memkeep.yaml`, `$XDG_CONFIG_HOME/memkeep/memkeep.yaml`, `/etc/memkeep/memkeep.yaml`: the first of them. */
export async function findConfigFile(
  flag: string | undefined,
  environment: Environment,
): Promise<FoundFile | undefined> {
  const named = flag ?? nonEmpty(environment["MEMKEEP_CONFIG"]);
  if (named !== undefined) return { path: named, named: true };
  for (const path of searchPath(environment)) {
    if (await exists(path)) return { path, named: false };
  }
  return undefined;
}

/** Where a file is looked for when none is named, in order. */
export function searchPath(environment: Environment): string[] {
  const home = nonEmpty(environment["XDG_CONFIG_HOME"]) ?? join(homedir(), ".config");
  return ["memkeep.yaml", join(home, "memkeep", "memkeep.yaml"), "/etc/memkeep/memkeep.yaml"];
}

/** A file that is there and may not be read is found, so that reading it says so. */
async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    return !["ENOENT", "ENOTDIR"].includes(errnoOf(error) ?? "");
  }
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}
