/** `memkeep init`: makes the repositories that are not there yet. */
import { ExitCode, MemkeepError, isMemkeepError } from "../../domain/errors.ts";
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
  exits: [],
  declare: () => undefined,
  async run(context) {
    const { configuration } = await context.configuration();
    refuseNone(configuration);
    const { createConfigured } = await import("../../config/open-stack.ts");
    const access = await context.opening(true);
    const made: InitReport["repositories"][number][] = [];
    for (const configured of configuration.repositories) {
      try {
        const repository = await createConfigured(configured, access);
        made.push({
          name: configured.name,
          location: repository.location,
          id: repository.id,
          result: "made",
        });
        await repository.close();
      } catch (error) {
        // With several, those that are there already stay; one alone that is there is what the reader must know.
        if (!isMemkeepError(error, "REPOSITORY_EXISTS") || configuration.repositories.length === 1)
          throw error;
        made.push({ name: configured.name, location: "", id: "", result: "was there" });
      }
    }
    if (made.every(({ result }) => result === "was there")) {
      throw new MemkeepError("REPOSITORY_EXISTS", {
        tried: "make the repositories of the configuration",
        happened: "all of them are there already",
        next: "Use them as they are: `memkeep backup`.",
      });
    }
    context.reporter.show("report", { repositories: made }, initView);
    context.reporter.note(
      "Keep the password safe, away from this machine: without it nobody can read the repository.",
    );
    tellNext(context, "backup");
    return ExitCode.done;
  },
};
