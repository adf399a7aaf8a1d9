/** `memkeep prune`: frees the room of what no snapshot uses. */
import { ExitCode, MemkeepError } from "../../domain/errors.ts";
import { parsePercentage, percentageForm } from "../../domain/percentage.ts";
import { parseSize, sizeForm } from "../../domain/size.ts";
import type { PruneOptions } from "../../repository/repository.ts";
import { type CommandModule, switchOption, textOption } from "../command.ts";
import { withRepository } from "../open.ts";
import { prunePlanView, pruneView } from "../views/prune.ts";

export const command: CommandModule = {
  examples: [
    { command: "memkeep prune --dry-run", text: "show what would be freed" },
    { command: "memkeep prune", text: "free it" },
    {
      command: "memkeep prune --max-repack-size 0",
      text: "on a full disk: remove whole packs, which needs no room",
    },
  ],
  exits: [ExitCode.noRepository, ExitCode.locked, ExitCode.wrongPassword],
  declare(command) {
    command
      .option(
        "--max-unused <percent>",
        "how much may stay unused, so that less is rewritten: 5% when absent, 0, unlimited",
      )
      .option("--max-repack-size <size>", "rewrite at most so much, such as 2GB")
      .option("-n, --dry-run", "only show what would be done");
  },
  run(context, _args, options) {
    const choice: PruneOptions = {
      maxUnused: shareOption(textOption(options, "maxUnused")),
      maxRepackBytes: sizeOption(textOption(options, "maxRepackSize")),
    };
    return withRepository(context, [], async ({ repository, place }) => {
      if (switchOption(options, "dryRun")) {
        context.reporter.show("data", await repository.planPrune(choice), prunePlanView);
        context.reporter.note("Nothing was done. Without --dry-run it is.");
        return ExitCode.done;
      }
      const { prune } = await import("../../engine/prune/run.ts");
      context.reporter.observer.step("prune", "finding what no snapshot uses");
      const report = await prune(repository, place, choice, context.surroundings());
      context.reporter.show("report", report, pruneView);
      return ExitCode.done;
    });
  },
};

function shareOption(text = "5%"): number {
  // As restic's prune takes it too.
  const share = { "0": 0, unlimited: 1 }[text] ?? parsePercentage(text);
  if (share !== undefined) return share;
  throw notUnderstood("--max-unused", text, percentageForm);
}

function sizeOption(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const sizeBytes = parseSize(text);
  if (sizeBytes !== undefined) return sizeBytes;
  throw notUnderstood("--max-repack-size", text, sizeForm);
}

function notUnderstood(flag: string, text: string, form: string): MemkeepError {
  return new MemkeepError("USAGE", {
    tried: `understand ${flag}`,
    happened: `${JSON.stringify(text.slice(0, 80))} is not ${form.replace(/ such as.*/, "")}`,
    next: `Write ${form}.`,
  });
}
