/** `memkeep init`: from nothing to a proven backup; or only the repositories that are not there yet. */
import { existsSync } from "node:fs";
import { findConfigFile } from "../../config/find-file.ts";
import { ExitCode, MemkeepError } from "../../domain/errors.ts";
import { collect, type CommandModule, listOption, switchOption, textOption } from "../command.ts";
import type { Context } from "../context.ts";
import type { InitPlan } from "../init/plan.ts";
import { quoted } from "../next-command.ts";
import { shortPath } from "../output/paths.ts";
import { canAsk } from "../prompt.ts";
import { initView } from "../views/init.ts";

export const command: CommandModule = {
  examples: [
    {
      command: "memkeep init",
      text: "finds what there is, asks, writes memkeep.yaml, and takes a first, proven backup",
    },
    {
      command: "memkeep init --store ./memory.db --password-file ~/.config/memkeep/password",
      text: "the same without a question; a random password is made",
    },
    { command: "memkeep init --yes", text: "takes all stores that it finds; the password is in a variable" },
    { command: "memkeep init --repository ./backups", text: "makes a repository, and nothing else" },
  ],
  notes: [
    "With a configuration it makes the repositories that are not there yet. It never overwrites a file.",
    "The password is read from MEMKEEP_PASSWORD, MEMKEEP_PASSWORD_FILE or MEMKEEP_PASSWORD_COMMAND, from the configuration, or asked for. Without it nobody can read the repository, not even you: keep it somewhere that does not burn with this machine.",
  ],
  exits: [ExitCode.partial, ExitCode.wrongPassword],
  declare(command) {
    command
      .option("-s, --store <store>", "a store's path or URL for memkeep.yaml; may be repeated", collect, [])
      .option("-y, --yes", "no questions: take the stores that are found")
      .option("--password-file <file>", "read the password there; made, with a random one, if missing")
      .option("--recovery-key", "also make a recovery key, and print it once")
      .option("--no-backup", "no first backup");
  },
  async run(context, _args, options) {
    const flags = {
      stores: listOption(options, "store"),
      yes: switchOption(options, "yes"),
      passwordFile: textOption(options, "passwordFile"),
      recoveryKey: switchOption(options, "recoveryKey"),
      backup: options["backup"] !== false,
    };
    if (flags.stores.length > 0 || flags.yes) {
      const { planFromFlags } = await import("../init/from-flags.ts");
      return setUp(context, await planFromFlags(context, flags));
    }
    refuseAlone(flags);
    if (await isNew(context)) {
      const { ask, quiet, json } = { ask: canAsk(), ...context.options };
      if (ask && quiet !== true && json !== true) {
        const { planFromAnswers } = await import("../init/wizard.ts");
        return setUp(context, await planFromAnswers(context));
      }
      if (!hasNamedFile(context)) throw nothingToGoOn();
    }
    const { makeRepositories } = await import("../init/make-repositories.ts");
    await makeRepositories(context, await context.configuration());
    return ExitCode.done;
  },
};

/** Nothing says what to make: no configuration, no repository. */
async function isNew({ options, environment }: Context): Promise<boolean> {
  if ((options.repository ?? environment["MEMKEEP_REPOSITORY"] ?? "") !== "") return false;
  const found = await findConfigFile(options.config, environment);
  return found === undefined || (found.named && !existsSync(found.path));
}

/** One that is named and not there is told as it is for every command. */
function hasNamedFile({ options, environment }: Context): boolean {
  return (options.config ?? environment["MEMKEEP_CONFIG"] ?? "") !== "";
}

function nothingToGoOn(): MemkeepError {
  return new MemkeepError("USAGE", {
    tried: "set up memkeep",
    happened: "there is no configuration and no terminal to ask on",
    next: "Say it with flags: `memkeep init --store ./memory.db`, or `memkeep init --yes` for all that is found; `memkeep init --repository ./backups` makes a repository alone.",
  });
}

function refuseAlone(flags: {
  readonly passwordFile: string | undefined;
  readonly recoveryKey: boolean;
  readonly backup: boolean;
}): void {
  const alone =
    flags.passwordFile !== undefined
      ? "--password-file"
      : flags.recoveryKey
        ? "--recovery-key"
        : flags.backup
          ? undefined
          : "--no-backup";
  if (alone === undefined) return;
  throw new MemkeepError("USAGE", {
    tried: `use ${alone}`,
    happened: "it belongs to a new configuration, and no store was named for one",
    next: "Add --store ./memory.db, or --yes for the stores that are found.",
  });
}

async function setUp(context: Context, plan: InitPlan): Promise<ExitCode> {
  const { carryOut } = await import("../init/carry-out.ts");
  const { report, failure } = await carryOut(context, plan);
  const { reporter } = context;
  // The recovery key was asked for; all else tells what was done.
  reporter.show(report.recoveryKey ? "data" : "report", report, initView);
  const config = plan.file === "memkeep.yaml" ? "" : ` -c ${quoted(plan.file)}`;
  if (failure !== undefined) {
    reporter.note(
      "Everything is made but the first backup. When what is told below is mended:",
      `memkeep backup${config}`,
    );
    throw failure;
  }
  if (plan.password.kind === "new-file") {
    reporter.note(
      `Keep a copy of ${shortPath(plan.password.path)} away from this machine: without the password nobody can read the backups.`,
    );
  }
  reporter.note("Next:", `memkeep ${plan.backup ? "status" : "backup"}${config}`);
  const { backup } = report;
  if (backup?.followUps.some(({ verified }) => verified?.ok === false)) return ExitCode.failed;
  return backup?.outcome === "partial" ? ExitCode.partial : ExitCode.done;
}
