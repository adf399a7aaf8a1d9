/** Variables that stand in a `.env` file and are not set here: the application has them, and memkeep would not. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Environment } from "../environment.ts";

const assignment = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)$/gm;

/**
 * Names and values of the folder's `.env`, without those that are set. For finding stores alone: memkeep never loads the file,
 * since a backup from cron would then mean something else than one from this shell.
 */
export async function readEnvFile(folder: string, environment: Environment): Promise<Environment> {
  let text: string;
  try {
    text = await readFile(join(folder, ".env"), "utf8");
  } catch {
    return {};
  }
  const found: Record<string, string> = {};
  for (const [, name, value] of text.slice(0, 1 << 20).matchAll(assignment)) {
    if (environment[name!] !== undefined) continue;
    found[name!] = value!.trim().replace(/^(["'])(.*)\1$/s, "$2");
  }
  return found;
}
