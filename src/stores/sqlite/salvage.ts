/**
 * The bytes of a database that SQLite cannot read any more, with those of the files beside it: the safety copy of last
 * resort, for `sqlite3 FILE .recover`. It goes back into a folder, never over a database.
 */
import { open } from "node:fs/promises";
import { MemkeepError } from "../../domain/errors.ts";
import type { DumpFacts, DumpSink, KeyStream, StoreContext, View } from "../store.ts";
import { companionSuffixes, sizeOf } from "./database-file.ts";
import { dumpVersion, engineName, engineVersion, readToEnd } from "./dump.ts";
import { closeWithoutLosingLocks } from "./held-locks.ts";
import { programsUsing } from "./open-files.ts";

/** Undefined when there is no file at all. */
export async function salvageView(path: string, context: StoreContext): Promise<View | undefined> {
  const names: string[] = [];
  for (const suffix of ["", ...companionSuffixes]) {
    if ((await sizeOf(path + suffix)) !== undefined) names.push(suffix);
  }
  if (!names.includes("")) return undefined;
  const { programs } = await programsUsing(path);
  const instant = new Date(context.clock.now()).toISOString();
  return {
    instant,
    consistency: programs.length === 0 ? "quiesced" : "fuzzy",
    dump: (sink) => dumpRaw(path, names, sink, context),
    collections: () => Promise.resolve([]),
    keys: () => noKeys(),
    records: () => noKeys(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

async function dumpRaw(
  path: string,
  suffixes: readonly string[],
  sink: DumpSink,
  context: StoreContext,
): Promise<DumpFacts> {
  for (const suffix of suffixes) {
    const { sizeBytes } = await sink.file(
      `${context.name}.db${suffix}`,
      "pages",
      rawBytes(path + suffix, context),
    );
    const now = await sizeOf(path + suffix);
    if (now === sizeBytes) continue;
    throw new MemkeepError("STORE_CHANGED", {
      tried: `copy the bytes of ${path}${suffix}`,
      happened: `${sizeBytes} bytes were read, and it has ${now ?? "gone"} now`,
      next: "Stop the programs that use the database, then try again.",
    });
  }
  return {
    engine: { name: engineName, version: engineVersion() },
    dumpVersion,
    view: { moved: 0 },
    collections: [],
    settings: { raw: true },
    omitted: [],
    warnings: [
      "these are the bytes of a database that SQLite could not read: `sqlite3 FILE .recover` saves what can be read",
    ],
  };
}

async function* rawBytes(path: string, context: StoreContext): AsyncGenerator<Buffer, void, undefined> {
  const handle = await open(path, "r");
  try {
    yield* readToEnd(handle, context.signal);
  } finally {
    await closeWithoutLosingLocks(handle);
  }
}

function noKeys(): KeyStream & AsyncIterable<never> {
  return {
    ordered: true,
    async *[Symbol.asyncIterator]() {
      // There is nothing that could be read as records.
    },
  };
}
