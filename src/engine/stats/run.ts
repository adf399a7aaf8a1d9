/** Asks repositories how large they are. One that cannot answer is told in its report, and the others are asked all the same. */
import { reasonOf } from "../../domain/errors.ts";
import type { PruneOptions } from "../../repository/repository.ts";
import type { StackRepository, Surroundings } from "../stack.ts";
import type { StatsReport } from "./report.ts";

/** Rejects with the first failure when not one answers. */
export async function stats(
  repositories: readonly StackRepository[],
  options: PruneOptions,
  { observer, signal }: Pick<Surroundings, "observer" | "signal">,
): Promise<readonly StatsReport[]> {
  const reports: StatsReport[] = [];
  const failures: unknown[] = [];
  for (const configured of repositories) {
    observer.step(configured.name, "adding up what snapshots use");
    try {
      reports.push(await statsOf(configured, options));
    } catch (error) {
      signal.throwIfAborted();
      failures.push(error);
      const { name, localPath } = configured;
      reports.push({ repository: name, location: localPath ?? name, error: reasonOf(error) });
    }
  }
  if (failures.length === repositories.length) throw failures[0];
  return reports;
}

async function statsOf(configured: StackRepository, options: PruneOptions): Promise<StatsReport> {
  const repository = await configured.open();
  try {
    const found = await repository.stats(options);
    const { rawBytes, sizeBytes, snapshots } = found;
    return {
      repository: configured.name,
      location: repository.location,
      ...found,
      ratio: snapshots.length === 0 ? null : Math.round((rawBytes / sizeBytes) * 100) / 100,
      error: undefined,
    };
  } finally {
    await repository.close();
  }
}
