/** Makes the repositories of a configuration, or the one of `--repository`, that are not there yet. */
import type { LoadedConfiguration } from "../../config/configuration.ts";
import type { Repository } from "../../repository/repository.ts";
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
  const all = await Promise.all(
    configuration.repositories.map(async (configured, number) => ({
      configured,
      number,
      there: await isMade(configured),
    })),
  );
  const made = new Map<number, InitReport["repositories"][number]>();
  /** The first that is there, or else the first that is made: all cut files as it does, so that a backup does it once for all. */
  let first: { readonly name: string; readonly repository: Repository } | undefined;
  for (const { configured, number, there } of all.toSorted((a, b) => Number(b.there) - Number(a.there))) {
    const { name } = configured;
    const repository = there
      ? await places[number]!.open()
      : await createConfigured(configured, forNew, context.reporter.observer, first?.repository);
    first ??= { name, repository };
    const cutsAs = repository.cutsAs(first.repository) ? first.name : null;
    const { location, id } = repository;
    made.set(number, { name, location, id, result: there ? "was there" : "made", cutsAs });
    if (cutsAs === null) {
      context.reporter.observer.warn(
        name,
        `it was made by itself and cuts files in other places than ${first.name}: every backup is cut and compressed once more for it`,
      );
    }
    await repository.close();
  }
  const repositories = all.flatMap(({ number }) => made.get(number) ?? []);
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
