/** What a backup would do, and did. */
import type { BackupPlan } from "../../engine/backup/plan.ts";
import type { CatchUp } from "../../engine/copy/catch-up.ts";
import type { CycleReport, FollowUp } from "../../engine/backup/cycle.ts";
import type { RepositoryOutcome } from "../../engine/backup/report.ts";
import type { VerifyReport } from "../../engine/verify/report.ts";
import { printable, type Style, wrap } from "../output/style.ts";
import { amountText, countText, durationText, shortId, sizeText } from "../../domain/words.ts";

export function backupPlanView(plan: BackupPlan, style: Style): string {
  const stores = plan.stores.map(({ name, kind, source, estimatedBytes }) => {
    const size = estimatedBytes === undefined ? "" : `, about ${sizeText(estimatedBytes)}`;
    return `  read ${style.bold(printable(name))} (${kind}, ${printable(source)}${size})`;
  });
  const repositories = plan.repositories.map(({ name, location, action, reason }) =>
    action === "write"
      ? `  write to ${style.bold(printable(name))} (${printable(location)})`
      : `  skip ${style.bold(printable(name))} (${printable(location)}): ${reason ?? ""}`,
  );
  return [
    `A backup of the stack ${style.bold(plan.stack)} would`,
    ...stores,
    ...repositories,
    ...plan.warnings.map((warning) => `${style.warn(style.signs.warn)} ${printable(warning)}`),
  ].join("\n");
}

export function backupView(report: CycleReport, style: Style): string {
  const stores = report.stores.map((store) => {
    const name = style.bold(printable(store.name));
    if (!store.ok) return `${style.bad(style.signs.bad)} ${name}: ${printable(store.error ?? "")}`;
    return `${style.good(style.signs.good)} ${name}: ${amountText(store.records, "record")}, ${sizeText(store.sizeBytes)}`;
  });
  return [
    ...stores,
    ...report.repositories.flatMap((repository) => {
      const followUp = report.followUps.find((after) => after.repository === repository.name);
      return [repositoryLine(repository, style), ...(followUp ? followUpLines(followUp, style) : [])];
    }),
    ...report.catchUps.flatMap((one) => catchUpLines(one, style)),
    ...report.warnings.map((warning) => `${style.warn(style.signs.warn)} ${printable(warning)}`),
    verdict(report, style),
  ].join("\n");
}

function repositoryLine(repository: RepositoryOutcome, style: Style): string {
  const name = style.bold(printable(repository.name));
  switch (repository.result) {
    case "written": {
      const added = repository.addedBytes === undefined ? "" : `, ${sizeText(repository.addedBytes)} added`;
      return `${style.good(style.signs.good)} ${name}: snapshot ${style.bold(shortId(repository.snapshot!))}${added}`;
    }
    case "skipped":
      return `${style.signs.none} ${name}: skipped, ${printable(repository.text ?? "")}`;
    case "failed":
      return `${style.bad(style.signs.bad)} ${name}: ${printable(repository.text ?? "")}`;
  }
}

function followUpLines({ verified, retained, pruned, error }: FollowUp, style: Style): string[] {
  const lines: string[] = [];
  if (verified) {
    const differences = verified.snapshots.flatMap(({ stores }) =>
      stores.flatMap((store) => store.differences),
    );
    lines.push(
      verified.ok
        ? provenLine(verified, style)
        : `  ${style.bad(style.signs.bad)} not proven: ${printable(differences.join("; "))}`,
    );
  }
  if (retained) {
    const kept = retained.groups.reduce((sum, group) => sum + group.kept.length, 0);
    lines.push(
      `  ${style.signs.bullet} ${countText(kept)} kept, ${amountText(retained.removed, "old snapshot")} forgotten`,
    );
  }
  if (pruned) lines.push(`  ${style.signs.bullet} ${sizeText(pruned.removeBytes)} freed`);
  if (pruned?.stillStored !== undefined) {
    lines.push(`  ${style.warn(style.signs.warn)} ${printable(pruned.stillStored)}`);
  }
  if (error !== undefined) lines.push(`  ${style.bad(style.signs.bad)} ${printable(error)}`);
  return lines;
}

/** The level that every store reached, and why one did not reach what was asked. */
function provenLine({ level, snapshots, durationMs }: VerifyReport, style: Style): string {
  const stores = snapshots.flatMap((snapshot) => snapshot.stores);
  const lower = stores.filter((store) => store.level !== level);
  const reached = lower[0]?.level ?? level;
  return [
    `  ${style.good(style.signs.good)} proven (${reached}) in ${durationText(durationMs)}`,
    ...lower.map(({ name, note = "" }) =>
      wrap(style.warn(printable(`${name}: ${note}`)), style.columns, "    "),
    ),
  ].join("\n");
}

function catchUpLines({ repository, from, copied, error }: CatchUp, style: Style): string[] {
  const name = style.bold(printable(repository));
  const source = from === undefined ? "" : ` with ${printable(from)}`;
  const bad = style.bad(style.signs.bad);
  if (copied === undefined) {
    return [`${bad} ${name}: not brought up to date${source}: ${printable(error ?? "")}`];
  }
  return [
    ...(copied.copied.length > 0
      ? [
          `${style.good(style.signs.good)} ${name}: brought up to date${source}, ${amountText(copied.copied.length, "snapshot")} copied, ${sizeText(copied.addedBytes)} added`,
        ]
      : []),
    ...copied.failed.map(
      ({ snapshot, text }) => `${bad} ${name}: ${printable(`${shortId(snapshot)} is not copied: ${text}`)}`,
    ),
  ];
}

function verdict(report: CycleReport, style: Style): string {
  const took = durationText(report.durationMs);
  switch (report.outcome) {
    case "done":
      return `Backed up the stack ${style.bold(report.stack)} in ${took}.`;
    case "skipped":
      return `Nothing to do: every repository has a snapshot that is young enough.`;
    case "partial":
      return style.warn(`Backed up a part of the stack ${report.stack} in ${took}; see what failed above.`);
  }
}
