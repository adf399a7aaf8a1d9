/** `memkeep backup`: one snapshot of all stores, into every repository. */
import { ExitCode, MemkeepError } from "../../domain/errors.ts";
import type { Stack } from "../../engine/stack.ts";
import { chosen } from "../chosen.ts";
import { collect, type CommandModule, listOption, switchOption, textOption } from "../command.ts";
import { durationOption } from "../context.ts";
import { tellNext } from "../next-command.ts";
import { refuseNone } from "../open.ts";
import { backupPlanView, backupView } from "../views/backup.ts";

export const command: CommandModule = {
  examples: [
    { command: "memkeep backup", text: "all stores of memkeep.yaml, into all its repositories" },
    {
      command: "memkeep backup --store ./memory.db --repository ./backups",
      text: "one SQLite file, without a configuration",
    },
    { command: "memkeep backup --min-interval 5h --quiet", text: "from cron, or at each start of a service" },
  ],
  notes: [
    "A store is a path of a SQLite file or a URL, if wanted with a name: --store memory=./data/a.db. Without a configuration the stack has the name of the first store, and a store that of its file without the ending.",
  ],
  exits: [ExitCode.partial, ExitCode.noRepository, ExitCode.locked, ExitCode.wrongPassword],
  declare(command) {
    command
      .argument("[store...]", "names of stores, paths or URLs; all when absent")
      .option("-s, --store <store>", "the same as an argument; may be repeated", collect, [])
      .option("--to <name>", "a repository of the configuration; may be repeated", collect, [])
      .option("--tag <tag>", "a tag for the snapshot; may be repeated", collect, [])
      .option("--min-interval <duration>", "leave a repository alone whose newest snapshot is younger")
      .option("-f, --force", "whatever the interval says; so does FORCE_BACKUP=true")
      .option("--allow-empty", "also when a store that had records is empty now")
      .option("-n, --dry-run", "say what would be done, and do nothing");
  },
  async run(context, args, options) {
    const stores = [...args, ...listOption(options, "store")];
    const { configuration, chosenStores } = await context.configuration(stores);
    refuseNone(configuration);
    const { openStack } = await import("../../config/open-stack.ts");
    const { backupCycle } = await import("../../engine/backup/cycle.ts");
    const whole = await openStack(configuration, await context.opening());
    const to = listOption(options, "to");
    const stack = narrowed(
      whole,
      chosenStores,
      to.length > 0 ? to : configuration.backup.to,
      configuration.file,
    );
    const minInterval = textOption(options, "minInterval");
    const result = await backupCycle(
      stack,
      {
        minIntervalMs:
          minInterval === undefined
            ? configuration.backup.minIntervalMs
            : durationOption("--min-interval", minInterval),
        force: switchOption(options, "force") || isForced(context.environment["FORCE_BACKUP"]),
        tags: [...configuration.backup.tags, ...listOption(options, "tag").map(checkTag)],
        allowEmpty: switchOption(options, "allowEmpty"),
        dryRun: switchOption(options, "dryRun"),
        verify: configuration.backup.verify,
        keep: configuration.backup.keep,
        prune: configuration.backup.prune,
        stallLimitMs: configuration.backup.stallLimitMs,
        holdLimitMs: configuration.backup.holdLimitMs,
        catchUp: configuration.backup.catchUp,
      },
      context.surroundings(),
    );
    const { reporter } = context;
    if (result.kind === "planned") {
      reporter.show("data", result.plan, backupPlanView);
      reporter.note("Nothing was done. Without --dry-run it is.");
      return ExitCode.done;
    }
    reporter.show("report", result.report, backupView);
    const { repositories, followUps, outcome } = result.report;
    const written = repositories.find(({ result }) => result === "written");
    const proven = followUps.some(({ verified }) => verified?.ok);
    if (written && !proven) tellNext(context, `verify ${written.snapshot!.slice(0, 8)}`);
    // A snapshot that is not what its manifest says is worse than a part that is missing.
    if (followUps.some(({ verified }) => verified?.ok === false)) return ExitCode.failed;
    return outcome === "partial" ? ExitCode.partial : ExitCode.done;
  },
};

/** A platform's settings have variables and no flags. The name is the one that Clara's service has. */
function isForced(variable = ""): boolean {
  if (/^(true|1|yes)$/i.test(variable)) return true;
  if (/^(|false|0|no)$/i.test(variable)) return false;
  throw new MemkeepError("USAGE", {
    tried: "understand FORCE_BACKUP",
    happened: `${JSON.stringify(variable.slice(0, 80))} is neither true nor false`,
  });
}

/** The stack with the stores and repositories that were chosen. */
function narrowed(
  stack: Stack,
  stores: readonly string[] | undefined,
  repositories: readonly string[] | undefined,
  file: string | undefined,
): Stack {
  if (stack.stores.length === 0) {
    throw new MemkeepError("USAGE", {
      tried: "back up",
      happened: `no store was named, and ${file === undefined ? "there is no configuration file" : `${file} has none`}`,
      next: "Name one, such as `memkeep backup --store ./memory.db`, or make a memkeep.yaml with `memkeep init`.",
    });
  }
  return {
    ...stack,
    stores: chosen(stack.stores, stores, "store"),
    repositories: chosen(stack.repositories, repositories, "repository"),
  };
}

/** Commas divide tags in restic's own options, and blanks in lists of them. */
function checkTag(tag: string): string {
  if (/^[^,\s]{1,128}$/.test(tag)) return tag;
  throw new MemkeepError("USAGE", {
    tried: "understand --tag",
    happened: `${JSON.stringify(tag.slice(0, 80))} is empty, too long, or has a comma or a blank`,
  });
}
