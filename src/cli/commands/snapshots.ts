/** `memkeep snapshots`: what there is, newest first, with the best proof of each. */
import { ExitCode } from "../../domain/errors.ts";
import { bestProofs } from "../../engine/status/best-proofs.ts";
import type { Proof, Repository, SnapshotInfo } from "../../repository/repository.ts";
import { type CommandModule, switchOption } from "../command.ts";
import type { Context } from "../context.ts";
import { tellNext } from "../next-command.ts";
import { readableSnapshots, refuseNone } from "../open.ts";
import { type ListedSnapshot, type SnapshotList, snapshotsView } from "../views/snapshots.ts";

export const command: CommandModule = {
  examples: [
    { command: "memkeep snapshots", text: "all of the configuration's repositories" },
    { command: "memkeep snapshots --repository ./backups --json", text: "one repository, for a program" },
  ],
  exits: [ExitCode.noRepository, ExitCode.wrongPassword],
  declare(command) {
    command.option("--safety", "also those that were taken before a restore");
  },
  async run(context, _args, options) {
    const { configuration } = await context.configuration();
    refuseNone(configuration);
    const { stackRepositories } = await import("../../config/open-stack.ts");
    const lists: SnapshotList[] = [];
    for (const stackRepository of stackRepositories(configuration, await context.opening())) {
      const { name } = stackRepository;
      const repository = await stackRepository.open();
      try {
        lists.push(await listOf(name, repository, context, switchOption(options, "safety")));
      } finally {
        await repository.close();
      }
    }
    const nowMs = context.clock.now();
    context.reporter.show("data", lists, (data, style) => snapshotsView(data, nowMs, style));
    const newest = lists.flatMap(({ snapshots }) => snapshots).find(({ safety }) => !safety);
    if (newest === undefined) tellNext(context, "backup");
    else if (newest.proof === null) tellNext(context, `verify ${newest.id.slice(0, 8)}`);
    return ExitCode.done;
  },
};

async function listOf(
  name: string,
  repository: Repository,
  context: Context,
  safety: boolean,
): Promise<SnapshotList> {
  const { stack } = context.options;
  const proofs = bestProofs(await repository.proofs());
  const snapshots = (await readableSnapshots(repository, context)).filter(
    (info) => (safety || !info.safety) && (stack === undefined || info.stack === stack),
  );
  return {
    repository: name,
    location: repository.location,
    snapshots: snapshots.map((info) => listed(info, proofs.get(info.id))),
  };
}

function listed(info: SnapshotInfo, proof: Proof | undefined): ListedSnapshot {
  return {
    id: info.id,
    time: info.time,
    stack: info.stack ?? null,
    stores: info.stores,
    tags: info.tags,
    safety: info.safety,
    readBytes: info.readBytes ?? null,
    addedBytes: info.addedBytes ?? null,
    proof: proof ? { level: proof.level, ok: proof.ok, at: proof.at } : null,
  };
}
