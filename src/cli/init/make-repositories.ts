/** Makes the repositories of a configuration, or the one of `--repository`, that are not there yet. */
import type { LoadedConfiguration } from "../../config/configuration.ts";
import type { Context } from "../context.ts";
import { tellNext } from "../next-command.ts";
import { refuseNone } from "../open.ts";
import { initView, type InitReport } from "../views/init.ts";

/** Those that are there stay as they are: it is only seen that the password opens them. */
export async function makeRepositories(
  context: Context,
  { configuration }: LoadedConfiguration,
): Promise<void> {
  refuseNone(configuration);
  const { createConfigured, isMade, stackRepositories } = await import("../../config/open-stack.ts");
  const [forNew, forOld] = [await context.opening(true), await context.opening()];
  const places = stackRepositories(configuration, forOld);
  const repositories: InitReport["repositories"][number][] = [];
  for (const [index, configured] of configuration.repositories.entries()) {
    const there = await isMade(configured);
    const repository = there
      ? await places[index]!.open()
      : await createConfigured(configured, forNew, context.reporter.observer);
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
}
