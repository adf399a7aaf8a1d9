/** Proves snapshots: that every byte is there, that every dump decodes, that a restore gives the same records. */
import type { CollectionFacts, Manifest, StoreManifest } from "../../domain/manifest.ts";
import { isMemkeepError, reasonOf } from "../../domain/errors.ts";
import type { Repository, SnapshotInfo, SnapshotReader, VerifyLevel } from "../../repository/repository.ts";
import type { RestorePlan, StoreContext } from "../../stores/store.ts";
import { countRecords } from "../backup/dump-store.ts";
import { compareFacts } from "../../domain/compare-facts.ts";
import { dumpSource, readManifest, refuseNewerDump } from "../manifest.ts";
import { openSpool } from "../spool.ts";
import type { Stack, Surroundings } from "../stack.ts";
import { readFiles } from "./read-files.ts";
import type { VerifiedSnapshot, VerifiedStore, VerifyReport } from "./report.ts";

export interface VerifyOptions {
  readonly level: VerifyLevel;
  /** The snapshot to prove. Without one, `stored` reads the whole repository, the other levels take the newest of the stack. */
  readonly snapshot: SnapshotInfo | undefined;
}

/**
 * Verifies and records the proof in the repository. Damage is told in the report (`ok: false`), also as a proof that
 * failed; rejects only when it could not look.
 */
export async function verify(
  stack: Stack,
  repository: Repository,
  options: VerifyOptions,
  surroundings: Surroundings,
): Promise<VerifyReport> {
  const startedMs = surroundings.clock.monotonicMs();
  await using _guard = await repository.guard();
  const report =
    options.snapshot === undefined && options.level === "stored"
      ? await verifyRepository(repository, surroundings)
      : await verifyOne(stack, repository, options, surroundings);
  const durationMs = Math.round(surroundings.clock.monotonicMs() - startedMs);
  for (const snapshot of report.snapshots) {
    await repository.addProof({
      snapshot: snapshot.id,
      level: options.level,
      ok: snapshot.ok,
      at: new Date(surroundings.clock.now()).toISOString(),
      program: surroundings.program,
      durationMs,
      stores: snapshot.stores.map(({ name, level, records }) => ({ name, level, records })),
    });
  }
  return { ...report, repository: repository.location, level: options.level, durationMs };
}

type Findings = Pick<VerifyReport, "ok" | "snapshots" | "check">;

/** Every byte of the repository; what is sound in it proves every snapshot of memkeep's that nothing harms. */
async function verifyRepository(repository: Repository, surroundings: Surroundings): Promise<Findings> {
  surroundings.observer.step("repository", `reading every byte of ${repository.location}`);
  const check = await repository.check({ data: true, signal: surroundings.signal });
  const harmed = new Set(check.findings.flatMap((finding) => finding.snapshots));
  const snapshots: VerifiedSnapshot[] = [];
  // One that cannot be read is among the findings.
  for (const info of await repository.snapshots(() => undefined)) {
    // Snapshots of every stack were read with the rest; those of other programs have no manifest to prove.
    if (info.stack === undefined) continue;
    snapshots.push({ id: info.id, time: info.time, ok: !harmed.has(info.id), stores: [] });
  }
  return { ok: check.findings.length === 0, snapshots, check };
}

async function verifyOne(
  stack: Stack,
  repository: Repository,
  options: VerifyOptions,
  surroundings: Surroundings,
): Promise<Findings> {
  const info = options.snapshot ?? (await newestOf(stack, repository));
  if (!info) return { ok: true, snapshots: [], check: undefined };
  const snapshot = await repository.open(info.id);
  let manifest: Manifest;
  try {
    manifest = await readManifest(snapshot);
  } catch (error) {
    // What only a newer memkeep reads is not proven, and not damaged either.
    if (isMemkeepError(error, "MANIFEST_VERSION")) throw error;
    const broken = {
      name: "manifest.json",
      kind: "",
      level: "stored" as const,
      records: 0,
      durationMs: 0,
      note: undefined,
    };
    const stores = [{ ...broken, differences: [reasonOf(error)] }];
    return { ok: false, snapshots: [{ id: info.id, time: info.time, ok: false, stores }], check: undefined };
  }
  await using spool = await openSpool(surroundings.spoolRoot);
  const stores: VerifiedStore[] = [];
  for (const [name, store] of Object.entries(manifest.stores)) {
    surroundings.signal.throwIfAborted();
    const context: StoreContext = { ...surroundings, name, spoolFolder: spool.folder };
    stores.push(
      await verifyStore({ stack, snapshot, manifest, name, store, context, surroundings }, options.level),
    );
  }
  const ok = stores.every(({ differences }) => differences.length === 0);
  return { ok, snapshots: [{ id: info.id, time: info.time, ok, stores }], check: undefined };
}

async function newestOf(stack: Stack, repository: Repository): Promise<SnapshotInfo | undefined> {
  const snapshots = await repository.snapshots(() => undefined);
  return snapshots.find((info) => info.stack === stack.name && !info.safety);
}

interface StoreParts {
  readonly stack: Stack;
  readonly snapshot: SnapshotReader;
  readonly manifest: Manifest;
  readonly name: string;
  readonly store: StoreManifest;
  readonly context: StoreContext;
  readonly surroundings: Surroundings;
}

/** Each level includes the ones below: a drill reads and decodes every dump file on its way. */
async function verifyStore(parts: StoreParts, level: VerifyLevel): Promise<VerifiedStore> {
  const { name, store, surroundings } = parts;
  const startedMs = surroundings.clock.monotonicMs();
  surroundings.observer.step(name, `verifying (${level})`);
  let reached = level;
  let note: string | undefined;
  const differences = await readFiles(parts.snapshot, name, store, surroundings);
  if (differences.length === 0 && level !== "stored") {
    try {
      const drill = level === "restored" ? await drillOf(parts) : undefined;
      if (typeof drill === "string") {
        reached = "decoded";
        note = drill;
      }
      const found = typeof drill === "object" ? drill : await decode(parts);
      differences.push(...compareFacts(store.collections, found));
    } catch (error) {
      surroundings.signal.throwIfAborted();
      if (isMemkeepError(error, "MANIFEST_VERSION")) throw error;
      differences.push(reasonOf(error));
    }
  }
  return {
    name,
    kind: store.kind,
    level: reached,
    records: countRecords(store),
    durationMs: Math.round(surroundings.clock.monotonicMs() - startedMs),
    differences,
    note,
  };
}

function decode({
  stack,
  snapshot,
  manifest,
  name,
  store,
  context,
}: StoreParts): Promise<readonly CollectionFacts[]> {
  return stack.decode(store.kind, dumpSource(snapshot, manifest, name), context);
}

/** A drill: restored into a scratch target, read back, and removed. A sentence where there is nowhere to restore to. */
async function drillOf(parts: StoreParts): Promise<readonly CollectionFacts[] | string> {
  const { stack, snapshot, manifest, name, store, context } = parts;
  const configured = stack.stores.find(
    (candidate) => candidate.name === name && candidate.kind === store.kind,
  );
  if (!configured) return "it is not in the configuration, so there is nowhere to restore it for a drill";
  await using adaptor = configured.connect(context);
  const source = dumpSource(snapshot, manifest, name);
  refuseNewerDump(name, source, configured.dumpVersion);
  const options = { target: { kind: "scratch" }, force: false } as const;
  let plan: RestorePlan;
  try {
    plan = await adaptor.planRestore(source, options);
  } catch (error) {
    // Such as Neo4j's Community Edition, which has no place beside the store.
    if (!isMemkeepError(error, "STORE_UNSUPPORTED")) throw error;
    return [error.message, error.next].filter((text) => text !== undefined).join(". ");
  }
  await using restoration = await adaptor.stage(plan, source, options);
  return await restoration.facts();
}
