/** Backs up all stores of a stack as one recovery point, into one or several repositories. */
import { type Manifest, formatManifest, manifestVersion, type StoreManifest } from "../../domain/manifest.ts";
import { isMemkeepError, MemkeepError, reasonOf } from "../../domain/errors.ts";
import type { SnapshotWriter, WriteOutcome } from "../../repository/repository.ts";
import { noneLeft } from "../../repository/none-left.ts";
import { readManifest } from "../manifest.ts";
import { newRunId } from "../run-id.ts";
import { openSpool } from "../spool.ts";
import type { Stack, Surroundings } from "../stack.ts";
import { countRecords, dumpStore, refuseSuddenlyEmpty } from "./dump-store.ts";
import {
  connectStores,
  type ConnectedStore,
  disposeAll,
  type FailedStore,
  openViews,
  type OpenStore,
} from "./open-stack.ts";
import { failedOutcome, type OpenRepository, openParticipants, type Participants } from "./participants.ts";
import { type BackupChoice, type BackupPlan, planBackup } from "./plan.ts";
import { refuseNested } from "./refuse-nested.ts";
import type { BackupReport, RepositoryOutcome, StoreOutcome } from "./report.ts";

export interface BackupOptions extends BackupChoice {
  readonly tags: readonly string[];
  /** Take a store that is suddenly empty for what it is. */
  readonly allowEmpty: boolean;
  /** Stop after the plan. */
  readonly dryRun: boolean;
  /** Of several repositories, one whose storage takes longer for one operation is given up; the others wait no longer. */
  readonly stallLimitMs: number;
  /** Of several repositories, one that makes the others wait for longer in all is given up; never when left out. */
  readonly holdLimitMs?: number | undefined;
  /** Set for a safety snapshot: what it is taken before. */
  readonly safety?: string;
}

export type BackupResult =
  | { readonly kind: "planned"; readonly plan: BackupPlan }
  | { readonly kind: "ran"; readonly plan: BackupPlan; readonly report: BackupReport };

interface Run {
  readonly id: string;
  readonly startedMs: number;
  readonly monotonicMs: number;
  readonly stack: Stack;
  readonly options: BackupOptions;
  readonly surroundings: Surroundings;
}

/**
 * Makes the plan and, unless `dryRun`, does it. Rejects when no snapshot came to be: a required store failed, or every
 * repository did. A snapshot exists in a repository only if all its bytes are durable there (law 4).
 */
export async function backup(
  stack: Stack,
  options: BackupOptions,
  surroundings: Surroundings,
): Promise<BackupResult> {
  const participants = await openParticipants(stack.repositories, options.stallLimitMs, surroundings);
  const open = [...participants.well];
  try {
    return await backupInto(stack, participants, options, surroundings);
  } finally {
    const closed = await Promise.allSettled(open.map(({ repository }) => repository.close()));
    for (const [number, result] of closed.entries()) {
      if (result.status === "rejected")
        surroundings.observer.warn(open[number]!.name, reasonOf(result.reason));
    }
  }
}

/** The same into repositories that are open already, and stay so. */
export async function backupInto(
  stack: Stack,
  participants: Participants,
  options: BackupOptions,
  surroundings: Surroundings,
): Promise<BackupResult> {
  const startedMs = surroundings.clock.now();
  const run: Run = {
    id: newRunId(startedMs),
    startedMs,
    monotonicMs: surroundings.clock.monotonicMs(),
    stack,
    options,
    surroundings,
  };
  await using spool = await openSpool(surroundings.spoolRoot);
  const { connected, failed } = await connectStores(stack.stores, surroundings, spool.folder);
  try {
    refuseNested(connected, stack.repositories);
    const plan = await makePlan(run, connected, participants);
    if (options.dryRun) return { kind: "planned", plan };
    const report = await execute(run, plan, connected, failed, participants);
    return { kind: "ran", plan, report };
  } finally {
    await disposeAll(connected.map(({ store }) => store));
  }
}

async function makePlan(
  run: Run,
  stores: readonly ConnectedStore[],
  participants: Participants,
): Promise<BackupPlan> {
  const repositories = await participants.each(async ({ name, repository }) => ({
    name,
    location: repository.location,
    // One that cannot be read must not keep the present from being saved; `verify` and retention stop at it.
    snapshots: await repository.snapshots((id, error) =>
      run.surroundings.observer.warn(name, `snapshot ${id.slice(0, 8)} is damaged: ${error.message}`),
    ),
  }));
  const facts = {
    nowMs: run.startedMs,
    stack: run.stack.name,
    stores: stores.map(({ name, kind, description }) => ({
      name,
      kind,
      source: description.source,
      estimatedBytes: description.estimatedBytes,
    })),
    repositories,
  };
  return planBackup(facts, run.options);
}

async function execute(
  run: Run,
  plan: BackupPlan,
  connected: readonly ConnectedStore[],
  failedBefore: readonly FailedStore[],
  participants: Participants,
): Promise<BackupReport> {
  const { stack, options, surroundings } = run;
  const skipped = plan.repositories
    .filter(({ action }) => action === "skip")
    .map(({ name, location, reason, newest }): RepositoryOutcome => {
      return { name, location, result: "skipped", snapshot: newest?.id, addedBytes: undefined, text: reason };
    });
  const isWritten = ({ name }: OpenRepository): boolean => !skipped.some((one) => one.name === name);
  const before = await newestManifest(stack.name, plan, participants, options.allowEmpty);
  const writing = participants.well.filter(isWritten);
  if (writing.length === 0) {
    return reportOf(run, plan, {
      manifest: undefined,
      stores: [],
      repositories: [...skipped, ...participants.failed],
      troubles: [],
    });
  }
  // The lock is waited for before the views are taken: an open view holds back the store's own clean-up.
  const writer = await stack.beginSnapshot(
    writing.map(({ repository }) => repository),
    {
      stack: stack.name,
      run: run.id,
      tags: options.tags,
      holdLimitMs: options.holdLimitMs,
      ...(options.safety === undefined ? {} : { safety: options.safety }),
    },
  );
  try {
    const { open, failed } = await openViews(connected, surroundings);
    try {
      const manifest = await dumpAll(run, open, writer, before);
      const outcomes = await writer.commit(
        Math.min(...open.map(({ view }) => Date.parse(view.instant))),
        open.map(({ name }) => name),
      );
      refuseTotalFailure(writing, outcomes, surroundings.signal);
      return reportOf(run, plan, {
        manifest,
        stores: [...failedBefore, ...failed].map(failedStore),
        repositories: [
          ...outcomes.map((outcome, number) => repositoryOutcome(writing[number]!, outcome)),
          ...skipped,
          ...participants.failed,
        ],
        troubles: outcomes.flatMap((outcome, number) =>
          outcome.ok && outcome.trouble
            ? `${writing[number]!.name}: the snapshot is there, but ${reasonOf(outcome.trouble)}`
            : [],
        ),
      });
    } finally {
      await disposeAll(open.map(({ view }) => view));
    }
  } finally {
    await writer.abandon();
  }
}

async function dumpAll(
  run: Run,
  open: readonly OpenStore[],
  writer: SnapshotWriter,
  before: Manifest | undefined,
): Promise<Manifest> {
  const { stack, options, surroundings } = run;
  const { observer, signal } = surroundings;
  const stores: Record<string, StoreManifest> = {};
  for (const { name, kind, description, view } of open) {
    signal.throwIfAborted();
    observer.step(name, `backing up ${description.source}`);
    const storeBefore = before?.stores[name];
    const store = await dumpStore({
      name,
      kind,
      description,
      view,
      writer,
      before: storeBefore,
      observer,
      signal,
    });
    if (!options.allowEmpty) refuseSuddenlyEmpty(name, store, storeBefore);
    stores[name] = store;
  }
  const instants = open.map(({ view }) => Date.parse(view.instant));
  const manifest: Manifest = {
    format: "memkeep-manifest",
    version: manifestVersion,
    stack: stack.name,
    run: run.id,
    program: surroundings.program,
    host: surroundings.hostname,
    startedAt: new Date(run.startedMs).toISOString(),
    finishedAt: new Date(surroundings.clock.now()).toISOString(),
    purpose: options.safety === undefined ? "backup" : `before ${options.safety}`,
    skewMs: Math.max(...instants) - Math.min(...instants),
    configuration: stack.configuration,
    stores,
  };
  await writer.save("manifest.json", "document", once(formatManifest(manifest)));
  return manifest;
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

/**
 * The manifest of the newest snapshot of this stack, for the comparison of counts (law 3) and for cutting files alike. A
 * repository in which it cannot be read leaves, as long as another is left; not so when `spare`, where counts are not compared.
 */
async function newestManifest(
  stack: string,
  plan: BackupPlan,
  participants: Participants,
  spare: boolean,
): Promise<Manifest | undefined> {
  const candidates = plan.repositories
    .filter((planned) => planned.newest !== undefined && planned.action === "write")
    .sort((a, b) => b.newest!.timeMs - a.newest!.timeMs);
  for (const { name, newest } of candidates) {
    const participant = participants.well.find((known) => known.name === name);
    if (!participant) continue;
    try {
      const manifest = await readManifest(await participant.repository.open(newest!.id));
      return manifest.stack === stack ? manifest : undefined;
    } catch (error) {
      if (spare) continue;
      participants.leave(participant, manifestLost(error, newest!.id));
      participants.refuseNone();
    }
  }
  return undefined;
}

/** Every later backup would fail alike: it must be told how that ends. */
function manifestLost(error: unknown, snapshot: string): unknown {
  if (!isMemkeepError(error, "REPOSITORY_DAMAGED", "STORAGE_MISSING")) return error;
  return new MemkeepError("REPOSITORY_DAMAGED", {
    tried: "compare with the newest snapshot",
    happened: `its manifest cannot be read (${error.message})`,
    next: `Run \`memkeep repository repair\`. If that does not bring it back, \`memkeep forget ${snapshot.slice(0, 8)}\` lets the next backup compare with the one before it; --allow-empty makes one that is compared with none.`,
    cause: error,
  });
}

function refuseTotalFailure(
  writing: readonly OpenRepository[],
  outcomes: readonly WriteOutcome[],
  signal: AbortSignal,
): void {
  const failures = outcomes.flatMap((outcome, number) =>
    outcome.ok ? [] : { repository: writing[number]!.name, error: outcome.error },
  );
  if (failures.length < outcomes.length) return;
  signal.throwIfAborted();
  throw noneLeft(failures);
}

function repositoryOutcome({ name, repository }: OpenRepository, outcome: WriteOutcome): RepositoryOutcome {
  if (!outcome.ok) return failedOutcome(name, repository.location, outcome.error);
  const { id, addedBytes } = outcome.snapshot;
  return {
    name,
    location: repository.location,
    result: "written",
    snapshot: id,
    addedBytes,
    text: undefined,
  };
}

function failedStore({ name, kind, error }: FailedStore): StoreOutcome {
  return {
    name,
    kind,
    ok: false,
    collections: [],
    records: 0,
    sizeBytes: 0,
    instant: undefined,
    consistency: undefined,
    error: reasonOf(error),
  };
}

function reportOf(
  run: Run,
  plan: BackupPlan,
  result: {
    readonly manifest: Manifest | undefined;
    readonly stores: readonly StoreOutcome[];
    readonly repositories: readonly RepositoryOutcome[];
    /** What failed after a snapshot was there. */
    readonly troubles: readonly string[];
  },
): BackupReport {
  const { manifest } = result;
  const stores = [
    ...Object.entries(manifest?.stores ?? {}).map(([name, store]): StoreOutcome => {
      return {
        name,
        kind: store.kind,
        ok: true,
        collections: store.collections,
        records: countRecords(store),
        sizeBytes: store.files.reduce((sum, file) => sum + file.sizeBytes, 0),
        instant: store.view.instant,
        consistency: store.view.consistency,
        error: undefined,
      };
    }),
    ...result.stores,
  ];
  const failed = stores.some(({ ok }) => !ok) || result.repositories.some(({ result: r }) => r === "failed");
  const written = result.repositories.some(({ result: r }) => r === "written");
  return {
    run: run.id,
    stack: run.stack.name,
    startedAt: new Date(run.startedMs).toISOString(),
    durationMs: Math.round(run.surroundings.clock.monotonicMs() - run.monotonicMs),
    outcome: failed ? "partial" : written ? "done" : "skipped",
    readBytes: stores.reduce((sum, store) => sum + store.sizeBytes, 0),
    skewMs: manifest?.skewMs ?? 0,
    stores,
    repositories: result.repositories,
    warnings: [
      ...plan.warnings,
      ...Object.entries(manifest?.stores ?? {}).flatMap(([name, { warnings }]) =>
        warnings.map((warning) => `${name}: ${warning}`),
      ),
      ...result.troubles,
    ],
  };
}
