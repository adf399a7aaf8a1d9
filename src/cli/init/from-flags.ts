/** `memkeep init` without questions: everything comes from flags, and with `--yes` from what is found. */
import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { passwordVariable } from "../../config/password.ts";
import type { DraftStore } from "../../config/draft/draft.ts";
import { pathFrom, storesFromUrls } from "../../config/draft/store-entry.ts";
import { checkName } from "../../config/overrides.ts";
import { MemkeepError } from "../../domain/errors.ts";
import type { Context } from "../context.ts";
import { newConfigFile, repositoryDraft, stackName, usualRepository } from "./draft-parts.ts";
import type { InitPassword, InitPlan } from "./plan.ts";

export interface InitFlags {
  readonly stores: readonly string[];
  readonly yes: boolean;
  readonly passwordFile: string | undefined;
  readonly recoveryKey: boolean;
  readonly backup: boolean;
}

export async function planFromFlags(context: Context, flags: InitFlags): Promise<InitPlan> {
  const file = newConfigFile(context);
  const { options, environment } = context;
  const repository = options.repository ?? (environment["MEMKEEP_REPOSITORY"] || usualRepository);
  const stores =
    flags.stores.length > 0
      ? await storesFromUrls(flags.stores, dirname(file))
      : await foundStores(context, file, repository);
  const given = options.stack ?? (environment["MEMKEEP_STACK"] || undefined);
  return {
    file,
    draft: {
      stack: given === undefined ? stackName(stores, file) : checkName(given, "--stack"),
      stores,
      repository: repositoryDraft(file, repository),
      passwordFile:
        flags.passwordFile === undefined ? undefined : pathFrom(dirname(file), flags.passwordFile),
    },
    password: passwordOf(context, flags.passwordFile),
    recoveryKey: flags.recoveryKey,
    backup: flags.backup,
  };
}

function passwordOf({ environment }: Context, file: string | undefined): InitPassword {
  if (file === undefined) return { kind: "found" };
  const variable = passwordVariable(environment);
  if (variable !== undefined) {
    throw new MemkeepError("USAGE", {
      tried: "use --password-file",
      happened: `${variable} is set too, and would be taken instead`,
      next: `Leave one of them away.`,
    });
  }
  return existsSync(file) ? { kind: "found" } : { kind: "new-file", path: file };
}

/** What is not ready is told and left out: nobody is there to say more about it. */
async function foundStores(context: Context, file: string, repository: string): Promise<DraftStore[]> {
  if (dirname(resolve(file)) !== process.cwd()) {
    throw new MemkeepError("USAGE", {
      tried: "look for stores",
      happened: `${file} is to be written into another folder than this one`,
      next: "Go there, or name the stores with --store.",
    });
  }
  const { discover } = await import("../../config/discover/discover.ts");
  const found = await discover(process.cwd(), context.environment, [resolve(repository)]);
  const { observer } = context.reporter;
  for (const remark of found.remarks) observer.warn("found", remark);
  for (const { where, lacking } of found.stores) {
    if (lacking !== undefined) observer.warn("left out", `${where}: ${lacking}`);
  }
  const ready = found.stores.filter(({ lacking }) => lacking === undefined);
  if (ready.length > 0) return ready;
  throw new MemkeepError("USAGE", {
    tried: "find something to back up",
    happened:
      "there is no SQLite file here or below, no known variable is set, and no database answers on its usual port",
    next: "Name it: `memkeep init --store ./memory.db`, or a URL such as postgresql://me@host/memory.",
  });
}
