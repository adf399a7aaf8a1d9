/** `memkeep init`: makes the repositories that are not there yet. */
import { ExitCode } from "../../domain/errors.ts";
import type { CommandModule } from "../command.ts";
import { tellNext } from "../next-command.ts";
import { refuseNone } from "../open.ts";
import { initView, type InitReport } from "../views/init.ts";

export const command: CommandModule = {
  examples: [
    { command: "memkeep init --repository ./backups", text: "asks for a password, twice" },
    { command: "memkeep init", text: "makes every repository of memkeep.yaml" },
  ],
  notes: [
    "The password is read from MEMKEEP_PASSWORD, MEMKEEP_PASSWORD_FILE or MEMKEEP_PASSWORD_COMMAND, from the\nconfiguration, or asked for. Without it nobody can read the repository, not even you: keep it somewhere\nthat does not burn with this machine.",
  ],
  exits: [ExitCode.wrongPassword],
  declare: () => undefined,
  async run(context) {
    const { configuration } = await context.configuration();
    refuseNone(configuration);
    const { createConfigured, isMade, stackRepositories } = await import("../../config/open-stack.ts");
    const [forNew, forOld] = [await context.opening(true), await context.opening()];
    const places = stackRepositories(configuration, forOld);
    const repositories: InitReport["repositories"][number][] = [];
    for (const [index, configured] of configuration.repositories.entries()) {
      const there = await isMade(configured);
      // Opening one that is there shows that the password fits: what is told to be ready is.
      const repository = there ? await places[index]!.open() : await createConfigured(configured, forNew);
      const { location, id } = repository;
      repositories.push({ name: configured.name, location, id, result: there ? "was there" : "made" });
      await repository.close();
    }
    context.reporter.show("report", { repositories }, initView);
    if (repositories.some(({ result }) => result === "made")) {
      context.reporter.note(
        "Keep the password safe, away from this machine: without it nobody can read the repository.",
      );
      tellNext(context, "backup");
    } else {
      context.reporter.note("Nothing was changed.");
      tellNext(context, "status");
    }
    return ExitCode.done;
  },
};
