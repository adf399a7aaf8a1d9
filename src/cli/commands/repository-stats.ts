/** `memkeep repository stats`: how large each repository is, what made it grow, what a prune would free. */
import { ExitCode } from "../../domain/errors.ts";
import { usualPrune } from "../../engine/prune/usual.ts";
import type { CommandModule } from "../command.ts";
import { refuseNone } from "../open.ts";
import { statsView } from "../views/stats.ts";

export const command: CommandModule = {
  examples: [
    { command: "memkeep repository stats", text: "all of the configuration's repositories" },
    { command: "memkeep repository stats -r ./backups --json", text: "one, for a program" },
  ],
  notes: [
    "GREW is what a snapshot stored that no older one has; when the older one is forgotten, it counts for the next. What\na prune would free is reckoned as `memkeep prune` does it without flags.",
  ],
  exits: [ExitCode.partial, ExitCode.noRepository, ExitCode.locked, ExitCode.wrongPassword],
  declare() {
    // It has no options of its own.
  },
  async run(context) {
    const { configuration } = await context.configuration();
    refuseNone(configuration);
    const { stackRepositories } = await import("../../config/open-stack.ts");
    const { stats } = await import("../../engine/stats/run.ts");
    const repositories = stackRepositories(configuration, await context.opening());
    const reports = await stats(repositories, usualPrune, context.surroundings());
    context.reporter.show("data", reports, statsView);
    return reports.some(({ error }) => error !== undefined) ? ExitCode.partial : ExitCode.done;
  },
};
