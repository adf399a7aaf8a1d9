/** `memkeep forget`: removes snapshots that no rule keeps, and says of each that stays why; or those that are named. */
import { ExitCode, MemkeepError } from "../../domain/errors.ts";
import { type KeepRules, parseSpan } from "../../domain/keep/index.ts";
import {
  collect,
  type CommandModule,
  type CommandOptions,
  listOption,
  switchOption,
  textOption,
} from "../command.ts";
import type { Context } from "../context.ts";
import { tellNext } from "../next-command.ts";
import { type Opened, withRepository } from "../open.ts";
import { namedPlanView, retainPlanView, retainView } from "../views/retain.ts";

const counts = ["last", "hourly", "daily", "weekly", "monthly", "yearly"] as const;
const spans = ["", "Hourly", "Daily", "Weekly", "Monthly", "Yearly"] as const;

export const command: CommandModule = {
  examples: [
    {
      command: "memkeep forget --dry-run",
      text: "show what the rules of memkeep.yaml would remove, and why",
    },
    { command: "memkeep forget --keep-last 7 --keep-weekly 8", text: "do it, by other rules" },
    { command: "memkeep forget 1d8aea1c", text: "one snapshot, also a damaged one" },
  ],
  notes: [
    "The rules are restic's. The newest snapshot that was proven stays whatever they say, and so does the only one. The room is freed by `memkeep prune`.",
  ],
  exits: [ExitCode.noRepository, ExitCode.locked, ExitCode.wrongPassword],
  declare(command) {
    command
      .argument("[snapshot...]", "`latest` or the beginning of an id; without any the rules decide")
      .option("--keep-last <n>", "the newest n snapshots")
      .option("--keep-hourly <n>", "the newest of each of the last n hours that have one")
      .option("--keep-daily <n>", "the same for days")
      .option("--keep-weekly <n>", "the same for weeks")
      .option("--keep-monthly <n>", "the same for months")
      .option("--keep-yearly <n>", "the same for years")
      .option("--keep-within <span>", "everything within a span before the newest, such as 30d or 1y6m")
      .option("--keep-within-hourly <span>", "the newest of each hour within it")
      .option("--keep-within-daily <span>", "the same for days")
      .option("--keep-within-weekly <span>", "the same for weeks")
      .option("--keep-within-monthly <span>", "the same for months")
      .option("--keep-within-yearly <span>", "the same for years")
      .option("--keep-tag <tag>", "all with this tag (a,b: with both); may be repeated", collect, [])
      .option("--force", "also the last one of a stack that is named, or the last that was proven")
      .option("-n, --dry-run", "only show what would be removed");
  },
  run(context, names, options) {
    return withRepository(context, [], async (opened) => {
      if (names.length > 0) return forgetGiven(context, opened, names, options);
      const { planRetention, retain } = await import("../../engine/retain/run.ts");
      const { defaultSafetyRule } = await import("../../engine/retain/plan.ts");
      const plan = await planRetention(
        opened.repository,
        {
          rules: rulesOf(options, opened),
          stacks: await stacksOf(opened),
          foreign: false,
          safety: defaultSafetyRule,
          backupWell: true,
        },
        context,
      );
      const { reporter } = context;
      if (switchOption(options, "dryRun")) {
        reporter.show("data", plan, retainPlanView);
        reporter.note("Nothing was removed. Without --dry-run it is.");
        return ExitCode.done;
      }
      const report = await retain(opened.repository, plan, context.surroundings());
      reporter.show("report", report, retainView);
      if (report.removed > 0) tellNext(context, "prune");
      return ExitCode.done;
    });
  },
};

async function forgetGiven(
  context: Context,
  { repository, loaded }: Opened,
  names: readonly string[],
  options: CommandOptions,
): Promise<ExitCode> {
  if (hasRules(options)) {
    throw new MemkeepError("USAGE", {
      tried: "forget snapshots",
      happened: "some are named, and rules are given too",
      next: "Leave out the one or the other.",
    });
  }
  const { forgetNamed } = await import("../../engine/retain/named.ts");
  const dryRun = switchOption(options, "dryRun");
  const report = await forgetNamed(
    repository,
    { names, stack: loaded.configuration.stack, force: switchOption(options, "force"), dryRun },
    context.surroundings(),
  );
  context.reporter.show(dryRun ? "data" : "report", report, dryRun ? namedPlanView : retainView);
  if (dryRun) context.reporter.note("Nothing was removed. Without --dry-run it is.");
  else tellNext(context, "prune");
  return ExitCode.done;
}

function hasRules(options: CommandOptions): boolean {
  return Object.entries(options).some(
    ([name, value]) =>
      name.startsWith("keep") && (Array.isArray(value) ? value.length > 0 : value !== undefined),
  );
}

/** The stack that was named, or every stack of the repository. */
async function stacksOf({ repository, loaded }: Opened): Promise<string[]> {
  const { stack } = loaded.configuration;
  if (stack !== undefined) return [stack];
  const stacks = (await repository.snapshots()).flatMap((info) => info.stack ?? []);
  return [...new Set(stacks)];
}

/** Of the flags, or else of the configuration. `USAGE` when there are none: nothing says what should stay. */
function rulesOf(options: CommandOptions, { loaded }: Opened): KeepRules {
  const tags = listOption(options, "keepTag").map((list) => list.split(","));
  const rules: KeepRules = {
    ...Object.fromEntries(counts.flatMap((name) => countRule(options, name))),
    ...Object.fromEntries(
      spans.flatMap((name) => {
        const text = textOption(options, `keepWithin${name}`);
        return text === undefined ? [] : [[`within${name}`, parseSpan(text)]];
      }),
    ),
    ...(tags.length === 0 ? {} : { tags }),
  };
  if (Object.keys(rules).length > 0) return rules;
  const { keep } = loaded.configuration.backup;
  if (keep) return keep;
  throw new MemkeepError("USAGE", {
    tried: "forget snapshots",
    happened: "no rule says which ones stay",
    next: "Add rules such as --keep-last 7, or `backup: { keep: … }` to the configuration.",
  });
}

function countRule(options: CommandOptions, name: (typeof counts)[number]): [string, number][] {
  const flag = `keep${name.slice(0, 1).toUpperCase()}${name.slice(1)}`;
  const text = textOption(options, flag);
  if (text === undefined) return [];
  if (text === "unlimited") return [[name, -1]];
  if (/^(-1|[1-9]\d{0,6})$/.test(text)) return [[name, Number(text)]];
  throw new MemkeepError("USAGE", {
    tried: `understand --keep-${name}`,
    happened: `${JSON.stringify(text.slice(0, 80))} is no number of snapshots`,
    next: "Write a number such as 7, or unlimited.",
  });
}
