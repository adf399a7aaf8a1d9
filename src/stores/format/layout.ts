/** `schema.json`: which files a dump has, and everything of the store that is not a record. */
import { z } from "zod";
import { MemkeepError } from "../../domain/errors.ts";
import type { DumpSource } from "../store.ts";
import { damaged } from "./damaged.ts";

/** Raised when a reader of the old format could not read the new one. */
export const dumpFormatVersion = 1;
export const schemaFile = "schema.json";

const fileName = z.string().regex(/^[A-Za-z0-9._-]+$/);

const VectorFile = z.strictObject({
  file: fileName,
  /** Name of the member that holds the vectors. */
  field: z.string(),
  type: z.enum(["f4", "f8", "f2", "u1", "i1"]),
  columns: z.number().int().nonnegative(),
  rows: z.number().int().nonnegative(),
});
export type VectorFile = z.infer<typeof VectorFile>;

const CollectionFiles = z.strictObject({
  name: z.string(),
  /** The JSON lines. */
  file: fileName,
  records: z.number().int().nonnegative(),
  vectors: z.array(VectorFile),
});
export type CollectionFiles = z.infer<typeof CollectionFiles>;

const DumpLayout = z.object({
  format: z.literal("memkeep-dump"),
  version: z.number().int(),
  store: z.string(),
  collections: z.array(CollectionFiles),
  /** In the shape that the store's adaptor defines, in the encoding of values where it holds values. */
  schema: z.unknown(),
});
export type DumpLayout = z.infer<typeof DumpLayout>;

/** The bytes of `schema.json`: indented, with a final newline, for people. */
export function writeLayout(layout: Omit<DumpLayout, "format" | "version">): Buffer {
  const whole: DumpLayout = { format: "memkeep-dump", version: dumpFormatVersion, ...layout };
  return Buffer.from(`${JSON.stringify(whole, null, 2)}\n`);
}

/** Reads `schema.json` of a dump. `MANIFEST_VERSION` for a newer one, `DUMP_DAMAGED` for anything else that is wrong. */
export async function readLayout(source: DumpSource, store: string): Promise<DumpLayout> {
  const parts: Uint8Array[] = [];
  for await (const part of source.read(schemaFile)) parts.push(part);
  let json: unknown;
  try {
    json = JSON.parse(Buffer.concat(parts).toString("utf8"));
  } catch (cause) {
    throw damaged(schemaFile, "it is not JSON", cause);
  }
  const version = z.object({ version: z.number() }).safeParse(json);
  if (version.success && version.data.version > dumpFormatVersion) {
    throw new MemkeepError("MANIFEST_VERSION", {
      tried: `read the dump file ${schemaFile}`,
      happened: `it has version ${version.data.version}, this memkeep reads up to ${dumpFormatVersion}`,
      next: "Use a newer memkeep.",
    });
  }
  const parsed = DumpLayout.safeParse(json);
  if (!parsed.success) throw damaged(schemaFile, z.prettifyError(parsed.error), parsed.error);
  if (parsed.data.store !== store)
    throw damaged(schemaFile, `it is of a ${parsed.data.store}, not a ${store}`);
  return parsed.data;
}
