/** Reaches every store: what it is, its own measurements, where it lies. */
import { isMemkeepError, reasonOf } from "../../domain/errors.ts";
import type { Store } from "../../stores/store.ts";
import { type Mount, nearestReal } from "../../util/fs/mounts.ts";
import type { StackStore, Surroundings } from "../stack.ts";
import { judgePlace, type StorePlace } from "./places.ts";
import type { DoctorCheck } from "./report.ts";

export interface ExaminedStore {
  readonly checks: readonly DoctorCheck[];
  /** Undefined when it was not reached. */
  readonly place: StorePlace | undefined;
  readonly estimatedBytes: number;
}

/** Rejects only when it is interrupted. */
export async function examineStore(
  stackStore: StackStore,
  mounts: readonly Mount[],
  spoolFolder: string,
  { clock, observer, signal }: Surroundings,
): Promise<ExaminedStore> {
  const { name } = stackStore;
  const subject = `store ${name}`;
  const checks: DoctorCheck[] = [];
  let place: StorePlace | undefined;
  let estimatedBytes = 0;
  let store: Store | undefined;
  try {
    store = stackStore.connect({ name, clock, observer, signal, spoolFolder });
    const description = await store.describe();
    const { engine, source, identity, localPaths } = description;
    checks.push({
      subject,
      name: "version",
      status: "ok",
      text: `${engine.name} ${engine.version}, ${source}`,
    });
    place = { name, identity, source, localPaths };
    estimatedBytes = description.estimatedBytes ?? 0;
  } catch (error) {
    signal.throwIfAborted();
    checks.push(failed(subject, error));
  }
  if (place?.localPaths[0] !== undefined) {
    const [path] = place.localPaths;
    checks.push(judgePlace({ subject, path, realPath: await nearestReal(path) }, mounts));
  }
  try {
    // A store that was not reached says why once.
    for (const probe of (place && (await store?.probe())) ?? []) {
      checks.push({ subject, name: probe.name, status: probe.status, text: probe.text });
    }
  } catch (error) {
    signal.throwIfAborted();
    checks.push(failed(subject, error));
  } finally {
    await store?.[Symbol.asyncDispose]();
  }
  return { checks, place, estimatedBytes };
}

/** What was reached and refused, or not reached: the error's own words and what to do. */
export function failed(subject: string, error: unknown): DoctorCheck {
  const next = isMemkeepError(error) && error.next !== undefined ? `. ${error.next}` : "";
  return { subject, name: "reachable", status: "critical", text: `${reasonOf(error)}${next}` };
}
