/** Parts of a draft that flags and answers make alike. */
import { existsSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import type { Draft, DraftStore } from "../../config/draft/draft.ts";
import { pathFrom } from "../../config/draft/store-entry.ts";
import { MemkeepError } from "../../domain/errors.ts";
import { nameFrom } from "../../domain/name.ts";
import type { Context } from "../context.ts";
import { quoted } from "../next-command.ts";

/** Where snapshots go when nothing else is said. */
export const usualRepository = "./backups";

/** The file that is written: `--config`, MEMKEEP_CONFIG, or `memkeep.yaml` here. `USAGE` when it is there. */
export function newConfigFile({ options, environment }: Context): string {
  const file = options.config ?? (environment["MEMKEEP_CONFIG"] || "memkeep.yaml");
  if (!existsSync(file)) return file;
  throw new MemkeepError("USAGE", {
    tried: `write ${file}`,
    happened: "there is such a file already, and it is never overwritten",
    next: `Use it as it is: \`memkeep config check -c ${quoted(file)}\`. Or name another one with --config.`,
  });
}

/** A path is written as the file's folder sees it; a URL as it is. */
export function repositoryDraft(file: string, text: string): Draft["repository"] {
  const isUrl = /^[a-z][a-z0-9+.-]+:/i.test(text);
  return isUrl
    ? { name: "offsite", storage: text }
    : { name: "local", storage: pathFrom(dirname(file), text) };
}

/** One store gives its name, as without a configuration, so that the history goes on; several that of the folder. */
export function stackName(stores: readonly DraftStore[], file: string): string {
  if (stores.length === 1) return stores[0]!.name;
  return nameFrom(basename(dirname(resolve(file)))) ?? "memory";
}
