/** Does what an `InitPlan` says: files and repository appear together or not at all, then the first backup and its proof. */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { assemble } from "../../config/assemble.ts";
import type { Configuration, ConfiguredRepository } from "../../config/configuration.ts";
import { writeNewFile } from "../../config/draft/new-file.ts";
import { unmakeRepository } from "../../config/draft/unmake.ts";
import { draftYaml, schemaFile } from "../../config/draft/yaml.ts";
import { configJsonSchema } from "../../config/json-schema.ts";
import {
  createConfigured,
  isMade,
  openStack,
  type OpeningAccess,
  stackRepositories,
} from "../../config/open-stack.ts";
import { parseConfig } from "../../config/read-file.ts";
import { isMemkeepError, MemkeepError } from "../../domain/errors.ts";
import { newRecoveryKey } from "../../domain/recovery-key.ts";
import { backupCycle, type CycleReport } from "../../engine/backup/cycle.ts";
import type { Repository } from "../../repository/repository.ts";
import type { Context } from "../context.ts";
import type { InitReport } from "../views/init.ts";
import type { InitPlan } from "./plan.ts";

export interface InitDone {
  readonly report: InitReport;
  /** Of the first backup, when it did not come to be. Everything else is made then. */
  readonly failure: unknown;
}

/** Rejects, and leaves nothing behind, when it fails or is interrupted before the configuration stands. */
export async function carryOut(context: Context, plan: InitPlan): Promise<InitDone> {
  const text = draftYaml(plan.draft);
  const configuration = await understood(context, plan, text);
  const access = await accessFor(context, plan, configuration);
  const files: string[] = [];
  let repository: InitReport["repositories"][number];
  {
    await using undo = new AsyncDisposableStack();
    const write = async (path: string, content: string, mode: number): Promise<void> => {
      context.signal.throwIfAborted();
      await writeNewFile(path, content, mode);
      undo.defer(() => unlink(path));
      files.push(path);
    };
    if (plan.password.kind === "new-file") {
      await write(plan.password.path, `${randomBytes(24).toString("base64url")}\n`, 0o600);
    }
    repository = await repositoryFor(context, configuration, access, undo);
    const schema = join(dirname(plan.file), schemaFile);
    if (!existsSync(schema)) {
      await write(schema, `${JSON.stringify(await configJsonSchema(), null, 2)}\n`, 0o644);
    }
    await write(plan.file, text, 0o644);
    context.signal.throwIfAborted();
    undo.move();
  }
  let backup: CycleReport | null = null;
  let failure: unknown;
  try {
    if (plan.backup) backup = await firstBackup(context, configuration, access);
  } catch (error) {
    failure = error;
  }
  const recoveryKey =
    plan.recoveryKey && !context.signal.aborted ? await addKey(configuration, access) : null;
  return { report: { files, repositories: [repository], backup, recoveryKey }, failure };
}

/** The text as a later command will read it: what would fail then fails now. */
async function understood(context: Context, { file }: InitPlan, text: string): Promise<Configuration> {
  try {
    const { configuration } = await assemble({
      document: parseConfig(file, text),
      stores: undefined,
      repository: undefined,
      stack: undefined,
      cacheSize: undefined,
      environment: context.environment,
      signal: context.signal,
      redactor: context.redactor,
    });
    return configuration;
  } catch (error) {
    if (!isMemkeepError(error, "CONFIG_INVALID")) throw error;
    throw new MemkeepError("CONFIG_INVALID", {
      tried: `set up ${file}`,
      happened: error.message.replace(/^could not read the configuration[^:]*: /, ""),
      next: "Nothing was written. Mend what it says, and run the same command again.",
      ...(error.details === undefined ? {} : { details: error.details }),
      cause: error,
    });
  }
}

/** What is typed once is used for every opening of this run. */
async function accessFor(
  context: Context,
  { password }: InitPlan,
  configuration: Configuration,
): Promise<OpeningAccess> {
  const there = await isMade(configuration.repositories[0]!);
  const access = await context.opening(!there);
  if (password.kind === "typed") return { ...access, ask: () => Promise.resolve(password.password) };
  let typed: Promise<string> | undefined;
  const { ask } = access;
  return { ...access, ask: ask && ((repository) => (typed ??= ask(repository))) };
}

async function repositoryFor(
  context: Context,
  configuration: Configuration,
  access: OpeningAccess,
  undo: AsyncDisposableStack,
): Promise<InitReport["repositories"][number]> {
  const configured = configuration.repositories[0]!;
  const there = await isMade(configured);
  const [place] = stackRepositories(configuration, access);
  const repository = there ? await place!.open() : await made(context, configured, access);
  if (!there) undo.defer(() => unmakeRepository(configured));
  const { location, id } = repository;
  await repository.close();
  const { name } = configured;
  return { name, location, id, result: there ? "was there" : "made", cutsAs: name };
}

/** What a failure leaves of it goes; what somebody else made in this moment stays. */
async function made(
  context: Context,
  configured: ConfiguredRepository,
  access: OpeningAccess,
): Promise<Repository> {
  try {
    return await createConfigured(configured, access, context.reporter.observer);
  } catch (error) {
    if (!isMemkeepError(error, "REPOSITORY_EXISTS")) await unmakeRepository(configured);
    throw error;
  }
}

async function firstBackup(
  context: Context,
  configuration: Configuration,
  access: OpeningAccess,
): Promise<CycleReport> {
  const stack = await openStack(configuration, access);
  const result = await backupCycle(
    stack,
    {
      minIntervalMs: 0,
      force: true,
      tags: [],
      allowEmpty: false,
      dryRun: false,
      verify: "restored",
      keep: undefined,
      prune: false,
      stallLimitMs: configuration.backup.stallLimitMs,
      catchUp: false,
    },
    context.surroundings(),
  );
  if (result.kind === "planned") throw new Error("a backup that is no dry run was only planned");
  return result.report;
}

async function addKey(configuration: Configuration, access: OpeningAccess): Promise<string> {
  const [place] = stackRepositories(configuration, access);
  const repository = await place!.open();
  try {
    const recoveryKey = newRecoveryKey();
    await repository.addKey(recoveryKey, { recovery: true });
    return recoveryKey;
  } finally {
    await repository.close();
  }
}
