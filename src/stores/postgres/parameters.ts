/** What connection parameters are read from: variables and small files of the user's. */
import { readFileSync } from "node:fs";
import { MemkeepError, reasonOf } from "../../domain/errors.ts";
import { errnoOf } from "../../util/fs/durable.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** Parameters by libpq's names: `host`, `port`, `sslmode`, … */
export type Parameters = Record<string, string>;

/** A small text file; undefined when there is none. */
export function textFile(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(errnoOf(error) ?? "")) return undefined;
    throw invalid(`${path} cannot be read: ${reasonOf(error)}`);
  }
}

export function invalid(happened: string): MemkeepError {
  return new MemkeepError("CONFIG_INVALID", { tried: "read the PostgreSQL connection", happened });
}
