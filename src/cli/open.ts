/** Opens the repository that a command works on, finds the snapshot it means, and closes up behind it. */
import type { Configuration, ConfiguredRepository, LoadedConfiguration } from "../config/configuration.ts";
import { MemkeepError } from "../domain/errors.ts";
import { instantForm, parseInstant } from "../domain/instant.ts";
import type { StackRepository } from "../engine/stack.ts";
import type { Repository, SnapshotInfo } from "../repository/repository.ts";
import type { Context } from "./context.ts";

export interface Opened {
  readonly repository: Repository;
  readonly configured: ConfiguredRepository;
  /** Its name in the configuration, or of its path. */
  readonly name: string;
  readonly loaded: LoadedConfiguration;
  /** Where it lies. */
  readonly place: Pick<StackRepository, "name" | "inspect">;
}

/** The repository named with `--repository`, or the first of the configuration. It is closed on every way out. */
export async function withRepository<T>(
  context: Context,
  stores: readonly string[],
  use: (opened: Opened) => Promise<T>,
): Promise<T> {
  const loaded = await context.configuration(stores);
  refuseNone(loaded.configuration);
  const { stackRepositories } = await import("../config/open-stack.ts");
  const first = stackRepositories(loaded.configuration, await context.opening())[0]!;
  const repository = await first.open();
  try {
    const configured = loaded.configuration.repositories[0]!;
    return await use({ repository, configured, name: first.name, loaded, place: first });
  } finally {
    await repository.close();
  }
}

/** `USAGE` when neither a flag nor a file names a repository. */
export function refuseNone(configuration: Configuration): void {
  if (configuration.repositories.length > 0) return;
  throw new MemkeepError("USAGE", {
    tried: "find the repository",
    happened:
      configuration.file === undefined
        ? "none was named, and there is no configuration file"
        : `none was named, and ${configuration.file} has none`,
    next: "Add --repository ./backups (a path or URL), or make a memkeep.yaml with `memkeep init`.",
  });
}

/** The snapshot that an argument and `--at` mean. */
export async function findSnapshot(
  context: Context,
  { repository, loaded }: Opened,
  text: string,
  at: string | undefined,
): Promise<SnapshotInfo> {
  const { selectSnapshot } = await import("../engine/select-snapshot.ts");
  const atMs = at === undefined ? undefined : parseInstant(at);
  if (at !== undefined && atMs === undefined) {
    throw new MemkeepError("USAGE", {
      tried: "understand --at",
      happened: `${JSON.stringify(at.slice(0, 80))} is no time`,
      next: `Write ${instantForm}.`,
    });
  }
  return selectSnapshot(await readableSnapshots(repository, context), {
    text,
    atMs,
    stack: loaded.configuration.stack,
  });
}

/** All snapshots that can be read: one that is damaged is told, and the others can still be restored. */
export function readableSnapshots(
  repository: Repository,
  { reporter }: Context,
): Promise<readonly SnapshotInfo[]> {
  return repository.snapshots((id, error) =>
    reporter.observer.warn(`snapshot ${id.slice(0, 8)}`, error.message),
  );
}
