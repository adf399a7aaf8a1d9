/** What a backup would do, and did. */
import type { BackupPlan } from "../../engine/backup/plan.ts";
import type { CatchUp } from "../../engine/copy/catch-up.ts";
import type { CycleReport, FollowUp } from "../../engine/backup/cycle.ts";
import type { RepositoryOutcome } from "../../engine/backup/report.ts";
import type { VerifyReport } from "../../engine/verify/report.ts";
import { hanging, printable, type Style } from "../output/style.ts";
import { amountText, countText, durationText, shortId, sizeText } from "../../domain/words.ts";

export function backupPlanView(plan: BackupPlan, style: Style): string {
  const stores = plan.stores.map(({ name, kind, source, estimatedBytes }) => {
    const size = estimatedBytes === undefined ? "" : `, about ${sizeText(estimatedBytes)}`;
    return hanging("  read ", `${style.bold(printable(name))} (${kind}, ${printable(source)}${size})`, style);
  });
  const repositories = plan.repositories.map(({ name, location, action, reason }) =>
    action === "write"
      ? hanging("  write to ", `${style.bold(printable(name))} (${printable(location)})`, style)
      : hanging("  skip ", `${style.bold(printable(name))} (${printable(location)}): ${reason ?? ""}`, style),
  );
  return [
    hanging("", `A backup of the stack ${style.bold(plan.stack)} would`, style),
    ...stores,
    ...repositories,
    ...plan.warnings.map((warning) => warningLine(warning, style)),
  ].join("\n");
}

export function backupView(report: CycleReport, style: Style): string {
  const stores = report.stores.map((store) => {
    const name = style.bold(printable(store.name));
    if (!store.ok)
      return hanging(`${style.bad(style.signs.bad)} `, `${name}: ${printable(store.error ?? "")}`, style);
    const words = `${name}: ${amountText(store.records, "record")}, ${sizeText(store.sizeBytes)}`;
    return hanging(`${style.good(style.signs.good)} `, words, style);
  });
  return [
    ...stores,
    ...report.repositories.flatMap((repository) => {
      const followUp = report.followUps.find((after) => after.repository === repository.name);
      return [repositoryLine(repository, style), ...(followUp ? followUpLines(followUp, style) : [])];
    }),
    ...report.catchUps.flatMap((one) => catchUpLines(one, style)),
    ...report.warnings.map((warning) => warningLine(warning, style)),
    hanging("", verdict(report, style), style),
  ].join("\n");
}

function warningLine(warning: string, style: Style): string {
  return hanging(`${style.warn(style.signs.warn)} `, printable(warning), style);
}

function repositoryLine(repository: RepositoryOutcome, style: Style): string {
  const name = style.bold(printable(repository.name));
  switch (repository.result) {
    case "written": {
      const added = repository.addedBytes === undefined ? "" : `, ${sizeText(repository.addedBytes)} added`;
      const words = `${name}: snapshot ${style.bold(shortId(repository.snapshot!))}${added}`;
      return hanging(`${style.good(style.signs.good)} `, words, style);
    }
    case "skipped":
      return hanging(`${style.signs.none} `, `${name}: skipped, ${printable(repository.text ?? "")}`, style);
    case "failed":
      return hanging(`${style.bad(style.signs.bad)} `, `${name}: ${printable(repository.text ?? "")}`, style);
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
        : hanging(
            `  ${style.bad(style.signs.bad)} `,
            `not proven: ${printable(differences.join("; "))}`,
            style,
          ),
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
    lines.push(hanging(`  ${style.warn(style.signs.warn)} `, printable(pruned.stillStored), style));
  }
  if (error !== undefined) {
    lines.push(hanging(`  ${style.bad(style.signs.bad)} `, printable(error), style));
  }
  return lines;
}

/** The level that every store reached, and why one did not reach what was asked. */
function provenLine({ level, snapshots, durationMs }: VerifyReport, style: Style): string {
  const stores = snapshots.flatMap((snapshot) => snapshot.stores);
  const lower = stores.filter((store) => store.level !== level);
  const reached = lower[0]?.level ?? level;
  return [
    `  ${style.good(style.signs.good)} proven (${reached}) in ${durationText(durationMs)}`,
    ...lower.map(({ name, note = "" }) => hanging("    ", style.warn(printable(`${name}: ${note}`)), style)),
  ].join("\n");
}

function catchUpLines({ repository, from, copied, error }: CatchUp, style: Style): string[] {
  const name = style.bold(printable(repository));
  const source = from === undefined ? "" : ` with ${printable(from)}`;
  const bad = style.bad(style.signs.bad);
  if (copied === undefined) {
    const words = `${name}: not brought up to date${source}: ${printable(error ?? "")}`;
    return [hanging(`${bad} `, words, style)];
  }
  return [
    ...(copied.copied.length > 0
      ? [
          hanging(
            `${style.good(style.signs.good)} `,
            `${name}: brought up to date${source}, ${amountText(copied.copied.length, "snapshot")} copied, ${sizeText(copied.addedBytes)} added`,
            style,
          ),
        ]
      : []),
    ...copied.failed.map(({ snapshot, text }) =>
      hanging(`${bad} `, `${name}: ${printable(`${shortId(snapshot)} is not copied: ${text}`)}`, style),
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
