/** `memkeep copy`: brings a repository up to date with another one. */
import { ExitCode, MemkeepError } from "../../domain/errors.ts";
import type { Repository } from "../../repository/repository.ts";
import { type CommandModule, switchOption, textOption } from "../command.ts";
import type { Context } from "../context.ts";
import { copyPlanView, copyView } from "../views/copy.ts";

export const command: CommandModule = {
  examples: [
    { command: "memkeep copy --from local --to offsite --dry-run", text: "show what offsite lacks" },
    { command: "memkeep copy --from local --to offsite", text: "bring offsite up to date" },
    { command: "memkeep copy --from ./backups --to ./usb-disk latest", text: "the newest snapshot alone" },
  ],
  notes: [
    "What is there already is not sent, and what an interrupted copy stored is used by the next one. Proofs stay where they are: run `memkeep verify` on the copy. Safety snapshots are copied only by their id.",
  ],
  exits: [ExitCode.partial, ExitCode.noRepository, ExitCode.locked, ExitCode.wrongPassword],
  declare(command) {
    command
      .argument("[snapshot...]", "latest, latest:STACK, or beginnings of ids; all of the stack when absent")
      .requiredOption("--from <name|url>", "the repository that has them: a name, a path, or a URL")
      .requiredOption("--to <name|url>", "the repository that lacks them")
      .option("-n, --dry-run", "only show what would be copied");
  },
  async run(context, names, options) {
    if (context.options.repository !== undefined) {
      throw new MemkeepError("USAGE", {
        tried: "copy snapshots",
        happened: "--repository was given, and a copy has two",
        next: "Name them with --from and --to.",
      });
    }
    await using from = await open(context, textOption(options, "from")!);
    await using to = await open(context, textOption(options, "to")!);
    const { copy } = await import("../../engine/copy/run.ts");
    const dryRun = switchOption(options, "dryRun");
    const choice = { names, stack: from.stack, dryRun };
    const result = await copy(from.repository, to.repository, choice, context.surroundings());
    if (result.kind === "planned") {
      context.reporter.show("data", result.plan, copyPlanView);
      context.reporter.note("Nothing was done. Without --dry-run it is.");
      return ExitCode.done;
    }
    context.reporter.show("report", result.report, copyView);
    return result.report.failed.length > 0 ? ExitCode.partial : ExitCode.done;
  },
};

interface OpenSide extends AsyncDisposable {
  readonly repository: Repository;
  readonly stack: string | undefined;
}

async function open(context: Context, name: string): Promise<OpenSide> {
  const { configuration } = await context.configuration([], name);
  const { stackRepositories } = await import("../../config/open-stack.ts");
  const repository = await stackRepositories(configuration, await context.opening())[0]!.open();
  return {
    repository,
    stack: configuration.stack,
    [Symbol.asyncDispose]: () => repository.close(),
  };
}
