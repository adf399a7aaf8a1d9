/** What a SQLite store can be told, and how a URL or a bare path says it. Loads no database code. */
import { z } from "zod";
import { MemkeepError } from "../../domain/errors.ts";
import { Duration, Size } from "../../domain/settings.ts";

const MiB = 1024 * 1024;

export const schema = z.strictObject({
  path: z
    .string()
    .min(1)
    .meta({
      path: true,
      examples: ["./memory.db"],
      description:
        "The database file. Relative paths begin at the configuration file's folder. A symbolic link is followed.",
    }),
  busyTimeout: Duration.prefault("10s").describe("How long to wait for a lock that another program holds."),
  maxBlock: Duration.prefault("5s").describe(
    "How long a database in rollback-journal mode may be pinned, which keeps others from writing. After that the pin is let go and the copy goes on in pieces. A WAL database is never blocked.",
  ),
  maxRestarts: z
    .number()
    .int()
    .nonnegative()
    .default(20)
    .describe("How often a copy in pieces may start over because somebody wrote, before it fails."),
  reserve: Size.optional().meta({
    description:
      "What the spool copy leaves free on its disk. Unset: 5 % of the disk, at least 64 MiB, at most 1 GiB.",
    examples: ["2GB"],
  }),
  allowEmpty: z
    .boolean()
    .default(false)
    .describe(
      "Accept a database without a single table; otherwise it is refused, since it is what a wrong path looks like.",
    ),
  allowNetworkFileSystem: z
    .boolean()
    .default(false)
    .describe(
      "Accept a WAL database on a network file system: right only when every program that uses it runs on this machine.",
    ),
});
export type SqliteConfig = z.infer<typeof schema>;
/** As people write it, with units. */
export type SqliteSettings = z.input<typeof schema>;

/** `sqlite:./memory.db`, `sqlite:/data/memory.db`, `sqlite:///data/memory.db`. `CONFIG_INVALID` for anything else. */
export function fromUrl(url: string): SqliteConfig {
  const match = /^sqlite:(?:\/\/(?=\/))?(?<path>[^?#]+)$/s.exec(url);
  const path = match?.groups?.["path"];
  if (path === undefined) {
    throw new MemkeepError("CONFIG_INVALID", {
      tried: "read the store URL",
      happened: "it is not `sqlite:` followed by a path without `?` and `#`",
      next: "Write `sqlite:./memory.db`, or name the file in a configuration file under `path:`.",
    });
  }
  return schema.parse({ path });
}

/** Bytes that stay free on a disk of `diskBytes`. */
export function reserveFor(config: SqliteConfig, diskBytes: number): number {
  return config.reserve ?? Math.min(1024 * MiB, Math.max(64 * MiB, Math.floor(diskBytes * 0.05)));
}
