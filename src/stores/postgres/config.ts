/** What a PostgreSQL store can be told, and how a URL says it. Loads no client. */
import { z } from "zod";
import { MemkeepError } from "../../domain/errors.ts";
import { Duration, Size } from "../../domain/settings.ts";

const TableName = z
  .string()
  .min(1)
  .meta({
    description: "`schema.table`, or `table` in the schema public; quoted as in SQL.",
    examples: ["public.memories"],
  });

export const schema = z.strictObject({
  url: z
    .string()
    .min(1)
    .meta({
      secret: true,
      description: "What it leaves out comes from PG* variables, the service file and .pgpass, as for psql.",
      examples: ["postgresql://backup@db.example.com:5432/memory?sslmode=verify-full"],
    })
    .default("postgresql://"),
  password: z
    .string()
    .meta({
      secret: true,
      description: "Apart from the URL, so that no character of it needs to be encoded.",
      examples: ["${POSTGRES_PASSWORD}"],
    })
    .optional(),
  tools: z
    .array(z.string().min(1))
    .default([])
    .meta({
      description: "Folders with pg_dump and pg_restore that are looked at before the usual places.",
      examples: [["/usr/lib/postgresql/18/bin"]],
    }),
  maintenanceDatabase: z
    .string()
    .min(1)
    .default("postgres")
    .describe("The database to connect to for creating and renaming others."),
  schemas: z
    .array(z.string().min(1))
    .optional()
    .meta({ description: "Only these schemas; all when left out.", examples: [["public"]] }),
  tables: z
    .array(TableName)
    .optional()
    .meta({ description: "Only these tables; all when left out.", examples: [["public.memories"]] }),
  excludeSchemas: z
    .array(z.string().min(1))
    .default([])
    .meta({ description: "All schemas but these.", examples: [["scratch"]] }),
  excludeTables: z
    .array(TableName)
    .default([])
    .meta({ description: "All tables but these.", examples: [["public.cache"]] }),
  excludeData: z
    .array(TableName)
    .default([])
    .meta({
      description: "Tables whose definition is kept and whose rows are not.",
      examples: [["public.sessions"]],
    }),
  lockTimeout: Duration.prefault("60s")
    .refine((milliseconds) => milliseconds > 0 && milliseconds <= 86_400_000, "expected 1ms to 24h")
    .describe("How long the backup waits for a lock that another session holds."),
  retryAttempts: z
    .number()
    .int()
    .min(1)
    .max(20)
    .default(6)
    .describe("How often to try to connect: while it is refused, reset, starting up or full."),
  retryDelay: Duration.prefault("2s").describe(
    "The wait before the second try; each wait is twice the one before.",
  ),
  indexMemory: z
    .string()
    .regex(/^\d+(kB|MB|GB)$/)
    .optional()
    .meta({
      description: "maintenance_work_mem while indexes are built, as PostgreSQL writes it.",
      examples: ["1GB"],
    }),
  indexWorkers: z
    .number()
    .int()
    .min(0)
    .max(64)
    .optional()
    .meta({ description: "max_parallel_maintenance_workers while indexes are built.", examples: [2] }),
  restoreJobs: z
    .number()
    .int()
    .min(1)
    .max(64)
    .default(1)
    .describe("More than one restores in parallel, from a spool file, where there is room for it."),
  scratchLimit: Size.prefault("20GiB").describe(
    "What a database beside the target may take on the server's disk, where its free space cannot be seen.",
  ),
});
export type PostgresConfig = z.infer<typeof schema>;
/** As people write it, with units. */
export type PostgresSettings = z.input<typeof schema>;

/** A URL as psql takes it. `CONFIG_INVALID` for anything else. The text of the error never holds the URL. */
export function fromUrl(url: string): PostgresConfig {
  if (!/^postgres(ql)?:\/\//.test(url)) {
    throw new MemkeepError("CONFIG_INVALID", {
      tried: "read the store URL",
      happened: "it does not begin with postgresql://",
      next: "Write postgresql://user@host:5432/database.",
    });
  }
  return schema.parse({ url });
}
