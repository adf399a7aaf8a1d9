/**
 * `manifest.json` stands in every snapshot and says what is in it: which stores, at which instant, how many
 * records, with which digests, in which files. Its shapes are a contract with the future: a reader refuses a
 * newer major version with words (`MANIFEST_VERSION`), and ignores keys that it does not know.
 */
import { z } from "zod";
import { MemkeepError } from "./errors.ts";

export const manifestVersion = 1;

/**
 * How a file's bytes are cut into chunks and how hard they are compressed; `repository/restic/chunking` decides from it.
 *
 * - `pages`: a database file of fixed pages (SQLite).
 * - `records`: text, one record a line.
 * - `vectors`: binary rows of floats (`.npy`).
 * - `archive`: a native dump stream (pg_dump).
 * - `document`: small files, such as a schema.
 */
export const FileKind = z.enum(["pages", "records", "vectors", "archive", "document"]);
export type FileKind = z.infer<typeof FileKind>;

/** How well a view stands still: one instant; read while others wrote and re-checked; or nobody could write. */
export const Consistency = z.enum(["snapshot", "fuzzy", "quiesced"]);
export type Consistency = z.infer<typeof Consistency>;

export const DumpFile = z.object({
  /** Relative to the snapshot's root: `<store>/<file>`. */
  path: z.string(),
  kind: FileKind,
  sizeBytes: z.number().int().nonnegative(),
  /** SHA-256 of the plain file, hex. */
  sha256: z.string(),
  /** Name of the policy by which the repository cut it, so that a later one can tell why nothing deduplicated. */
  cut: z.string().optional(),
});
export type DumpFile = z.infer<typeof DumpFile>;

export const CollectionFacts = z.object({
  name: z.string(),
  records: z.number().int().nonnegative(),
  /** Multiset digest of the canonical keys; absent where the collection has no key. */
  keyDigest: z.string().optional(),
  /** Multiset digest of the records' canonical content. */
  contentDigest: z.string(),
});
export type CollectionFacts = z.infer<typeof CollectionFacts>;

export const StoreManifest = z.object({
  kind: z.string(),
  engine: z.object({ name: z.string(), version: z.string() }),
  /** Where it was read from, without secrets. */
  source: z.string(),
  /** Format of this store's dump files; raised when a reader of the old one could not read the new one. */
  dumpVersion: z.number().int(),
  view: z.object({
    /** RFC 3339, UTC: the instant that the dump shows. */
    instant: z.string(),
    consistency: Consistency,
    /** Records that were seen to change while a fuzzy view was read. */
    moved: z.number().int().nonnegative().default(0),
  }),
  files: z.array(DumpFile),
  collections: z.array(CollectionFacts),
  /** Everything that is not a record and must come back too: page size, settings, versions of extensions. */
  settings: z.record(z.string(), z.unknown()).default({}),
  /** What the store's interface cannot give or the configuration left out (law 2). */
  omitted: z.array(z.object({ what: z.string(), why: z.string() })).default([]),
  warnings: z.array(z.string()).default([]),
});
export type StoreManifest = z.infer<typeof StoreManifest>;

export const Manifest = z.object({
  format: z.literal("memkeep-manifest"),
  version: z.number().int(),
  stack: z.string(),
  run: z.string(),
  program: z.string(),
  host: z.string(),
  startedAt: z.string(),
  finishedAt: z.string(),
  /** `backup`, or the reason of a safety snapshot. */
  purpose: z.string(),
  /** Milliseconds between the earliest and the latest view. */
  skewMs: z.number().nonnegative(),
  /** The configuration with every secret masked: the topology, for a dead machine. */
  configuration: z.unknown(),
  stores: z.record(z.string(), StoreManifest),
});
export type Manifest = z.infer<typeof Manifest>;

/** Reads a manifest's bytes. `MANIFEST_VERSION` for a newer one, `MANIFEST_INVALID` for anything else that is wrong. */
export function parseManifest(bytes: Uint8Array): Manifest {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch (cause) {
    throw new MemkeepError("MANIFEST_INVALID", {
      tried: "read the snapshot's manifest",
      happened: "it is not JSON",
      next: "Run `memkeep verify --level stored` on this snapshot.",
      cause,
    });
  }
  const version = z.object({ version: z.number() }).safeParse(json);
  if (version.success && version.data.version > manifestVersion) {
    throw new MemkeepError("MANIFEST_VERSION", {
      tried: "read the snapshot's manifest",
      happened: `it has version ${version.data.version}, this memkeep reads up to ${manifestVersion}`,
      next: "Use a newer memkeep; stock `restic restore` brings the files back without it.",
    });
  }
  const parsed = Manifest.safeParse(json);
  if (!parsed.success) {
    throw new MemkeepError("MANIFEST_INVALID", {
      tried: "read the snapshot's manifest",
      happened: z.prettifyError(parsed.error),
      cause: parsed.error,
    });
  }
  return parsed.data;
}

/** The bytes of a manifest: indented JSON with a final newline, so that people can read it with `cat`. */
export function formatManifest(manifest: Manifest): Buffer {
  return Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`);
}
