/**
 * Looks for damage: every file against its name, packs against the index, trees against both. Takes no lock, so it runs
 * on a read-only copy and beside backups: it lists snapshots first, then the index, then packs, the reverse of the order in which
 * they are written. A prune beside it removes what was listed: then what was found may be no damage, and it looks again; the
 * third time under a shared lock.
 */
import type { MemkeepError } from "../../../domain/errors.ts";
import type { CheckReport, Finding } from "../../repository.ts";
import { type LoadedIndex, loadIndex } from "../index/load-index.ts";
import { PackContents } from "../index/pack-contents.ts";
import type { LoadedSnapshot } from "../objects/snapshot-info.ts";
import type { Premises } from "../premises.ts";
import { checkObjects } from "./check-objects.ts";
import { type CheckedPacks, checkPacks, tellUnindexed } from "./check-packs.ts";
import { checkTrees, type CheckedTrees } from "./check-trees.ts";
import { Damage, indexRemedy, lostRemedy, type Problem } from "./damage.ts";
import { countRecoverable } from "./recoverable.ts";

export interface CheckParts extends Premises {
  /** All snapshots but those that cannot be read, of which `onDamaged` is told. */
  loadSnapshots(onDamaged: (id: string, error: MemkeepError) => void): Promise<readonly LoadedSnapshot[]>;
}

interface Look {
  readonly report: CheckReport;
  readonly seen: readonly string[];
}

const looksWithoutLock = 2;

export async function check(
  premises: CheckParts,
  options: { readonly data: boolean; readonly signal: AbortSignal },
): Promise<CheckReport> {
  const parts = interruptible(premises, options.signal);
  for (let look = 1; look <= looksWithoutLock; look++) {
    const { report, seen } = await lookOnce(parts, options.data);
    if (report.findings.length === 0 || !(await vanished(parts, seen))) return report;
  }
  await using _lock = await parts.lock({ exclusive: false });
  return (await lookOnce(parts, options.data)).report;
}

/** The same premises, with one more way to be interrupted. */
function interruptible(premises: CheckParts, signal: AbortSignal): CheckParts {
  const { storage, objects, key, sealer, clock } = premises;
  return {
    storage,
    objects,
    key,
    sealer,
    clock,
    signal: AbortSignal.any([premises.signal, signal]),
    workers: () => premises.workers(),
    lock: (options) => premises.lock(options),
    loadSnapshots: (onDamaged) => premises.loadSnapshots(onDamaged),
  };
}

async function lookOnce(parts: CheckParts, data: boolean): Promise<Look> {
  const unreadable = new Map<string, MemkeepError>();
  const snapshots = await parts.loadSnapshots((id, error) => unreadable.set(id, error));
  const ids = new Set([...unreadable.keys(), ...snapshots.map(({ info }) => info.id)]);
  const loaded = await loadIndex(parts.objects);
  const { index } = loaded;
  const damage = new Damage(index);
  for (const [id, error] of unreadable) {
    damage.add(
      `snapshots/${id}`,
      error.message,
      `Run \`memkeep repository repair\`: it finds one that has another's name. If it does not, what the snapshot named is lost: \`memkeep forget ${id.slice(0, 8)}\` removes it.`,
      [id],
    );
  }
  const notes = await checkObjects(parts, damage, ids);
  const contents = new PackContents(index);
  const packs = await checkPacks(parts, index, contents, damage, data);
  const lostProblem = problemOfIndex(damage, loaded);
  const trees = await checkTrees(parts, index, snapshots, damage, lostProblem);
  trees.harm.resolve();
  await tellLost(parts, loaded, trees, packs, lostProblem);
  shareHarm(damage, loaded, lostProblem, trees);
  return {
    report: {
      findings: damage.problems.map(findingOf),
      notes: [...notes, ...tellUnindexed(packs)],
      snapshots: snapshots.length,
      packs: packs.packs,
      blobs: index.size,
      readBytes: packs.readBytes,
    },
    seen: [
      ...[...ids].map((id) => `snapshots/${id}`),
      ...[...loaded.files.map((file) => file.id), ...loaded.damaged.keys()].map((id) => `index/${id}`),
    ],
  };
}

/** Damaged index files get their problems at once; the one for lost blobs is theirs, or the whole index's when no file of it is damaged. */
function problemOfIndex(damage: Damage, { damaged }: LoadedIndex): () => Problem {
  const problems = [...damaged].map(([id, error]) => damage.add(`index/${id}`, error.message, indexRemedy));
  return () => problems[0] ?? damage.add("index", "blobs that snapshots need are in no index", indexRemedy);
}

async function tellLost(
  parts: CheckParts,
  loaded: LoadedIndex,
  { lost }: CheckedTrees,
  packs: CheckedPacks,
  lostProblem: () => Problem,
): Promise<void> {
  if (lost.size === 0) return;
  const recoverable = await countRecoverable(parts, packs.unindexed, lost);
  const problem = lostProblem();
  // Nothing that a repair could find again: without this its advice would go round in a circle.
  if (recoverable === 0 && loaded.damaged.size === 0) problem.remedy = lostRemedy;
  problem.texts.push(
    `${lost.size} blobs that snapshots need are in no ${loaded.damaged.size > 0 ? "readable " : ""}index; ${recoverable} of them lie in packs that a repair finds again`,
  );
}

/** Which of several damaged index files named a lost blob cannot be told: all of them are held for it. */
function shareHarm(
  damage: Damage,
  { damaged }: LoadedIndex,
  lostProblem: () => Problem,
  { lost }: CheckedTrees,
): void {
  if (damaged.size < 2 || lost.size === 0) return;
  const harmed = lostProblem().snapshots;
  for (const problem of damage.problems) {
    if (!problem.file.startsWith("index/")) continue;
    for (const snapshot of harmed) problem.snapshots.add(snapshot);
  }
}

function findingOf({ file, texts, snapshots, remedy }: Problem): Finding {
  return {
    file,
    text: texts.join("; "),
    snapshots: [...snapshots].sort(),
    ...(remedy === undefined ? {} : { remedy }),
  };
}

/** Whether something that was looked at has been removed since. */
async function vanished({ objects }: CheckParts, seen: readonly string[]): Promise<boolean> {
  const there = new Set<string>();
  for (const folder of ["snapshots", "index"] as const) {
    for await (const { id } of objects.list(folder)) there.add(`${folder}/${id}`);
  }
  return seen.some((name) => !there.has(name));
}
