/** Merges sorted runs into one order. */
import { compareEntries } from "./run.ts";
import type { Entry, Run } from "./run.ts";

export interface MergedEntry {
  readonly entry: Entry;
  /** Place of its run in the list of runs. */
  readonly run: number;
}

/** A run with the entry that is next in it. */
interface Head {
  readonly run: number;
  readonly source: AsyncIterator<readonly Entry[]>;
  entries: readonly Entry[];
  at: number;
}

const batchEntries = 1024;

/**
 * All entries of all runs, ascending, in batches. A batch is good until the next one is asked for: before a run reads on, over
 * what it read, everything that was taken from it is given away.
 */
export async function* mergeRuns(runs: readonly Run[]): AsyncGenerator<MergedEntry[]> {
  const heap: Head[] = [];
  for (const [run, { source, entries }] of (await openRuns(runs)).entries()) {
    if (entries !== undefined) heap.push({ run, source, entries, at: 0 });
  }
  for (let index = heap.length >> 1; index >= 0; index--) siftDown(heap, index);
  let batch: MergedEntry[] = [];
  while (heap.length > 0) {
    const head = heap[0]!;
    batch.push({ entry: head.entries[head.at]!, run: head.run });
    if (++head.at === head.entries.length) {
      yield batch;
      batch = [];
      if (!(await refill(head))) {
        const last = heap.pop()!;
        if (heap.length > 0) heap[0] = last;
      }
    }
    siftDown(heap, 0);
    if (batch.length < batchEntries) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

async function openRuns(
  runs: readonly Run[],
): Promise<{ source: AsyncIterator<readonly Entry[]>; entries: readonly Entry[] | undefined }[]> {
  const opened = [];
  for (const run of runs) {
    const source = run.entries(runs.length);
    const first = await source.next();
    opened.push({ source, entries: first.done === true ? undefined : first.value });
  }
  return opened;
}

async function refill(head: Head): Promise<boolean> {
  const next = await head.source.next();
  if (next.done === true) return false;
  head.entries = next.value;
  head.at = 0;
  return true;
}

function siftDown(heap: Head[], from: number): void {
  for (let at = from; ;) {
    let least = at;
    for (let child = 2 * at + 1; child <= 2 * at + 2 && child < heap.length; child++) {
      if (isBefore(heap[child]!, heap[least]!)) least = child;
    }
    if (least === at) return;
    const head = heap[at]!;
    heap[at] = heap[least]!;
    heap[least] = head;
    at = least;
  }
}

function isBefore(a: Head, b: Head): boolean {
  return compareEntries(a.entries[a.at]!, b.entries[b.at]!) < 0;
}
