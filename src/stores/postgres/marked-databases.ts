/**
 * Databases that memkeep made or set aside, known by a setting on the database itself: `memkeep.scratch` or
 * `memkeep.kept`, with the run that made it. Nothing without such a mark is ever dropped.
 */
import { randomBytes } from "node:crypto";
import { basename } from "node:path";
import { MemkeepError } from "../../domain/errors.ts";
import type { StoreContext } from "../store.ts";
import type { Session } from "./client.ts";
import { quoteName, quoteText } from "./names.ts";
import type { DatabaseSettings } from "./database-settings.ts";

export type Mark = "scratch" | "kept";

export interface MarkedDatabase {
  readonly name: string;
  readonly mark: Mark;
  /** The run that made it and when; for a kept one, also the name that it had. */
  readonly text: string;
}

/** PostgreSQL cuts longer names off. */
const longestNameBytes = 63;

/** The run, as far as an adaptor knows it: its spool folder's name, which holds the process id. */
export function runText(context: StoreContext): string {
  return `${basename(context.spoolFolder)} ${new Date(context.clock.now()).toISOString()}`;
}

export function scratchName(): string {
  return `memkeep_scratch_${randomBytes(6).toString("hex")}`;
}

/** `name` with a word and the instant behind it, cut to what PostgreSQL takes. */
export function datedName(name: string, word: "before" | "undone", nowMs: number): string {
  const suffix = `_${word}_${new Date(nowMs).toISOString().replaceAll(/[-:T]/g, "").slice(0, 14)}`;
  const bytes = Buffer.from(name);
  let end = Math.min(bytes.length, longestNameBytes - suffix.length);
  // Not in the middle of a character: its later bytes begin with the bits 10.
  while (end < bytes.length && (bytes[end]! & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end).toString("utf8") + suffix;
}

/** Creates an empty database like the one that was dumped, and marks it. */
export async function createScratch(
  maintenance: Session,
  name: string,
  settings: DatabaseSettings,
  major: number,
  context: StoreContext,
): Promise<void> {
  const parts = [
    `CREATE DATABASE ${quoteName(name)} TEMPLATE template0 ENCODING ${quoteText(settings.encoding)}`,
    `LC_COLLATE ${quoteText(settings.collate)} LC_CTYPE ${quoteText(settings.ctype)}`,
  ];
  if (settings.localeProvider === "icu" && settings.locale !== null) {
    parts.push(`LOCALE_PROVIDER icu ICU_LOCALE ${quoteText(settings.locale)}`);
    if (settings.icuRules !== null) parts.push(`ICU_RULES ${quoteText(settings.icuRules)}`);
  } else if (settings.localeProvider === "builtin" && settings.locale !== null && major >= 17) {
    parts.push(`LOCALE_PROVIDER builtin BUILTIN_LOCALE ${quoteText(settings.locale)}`);
  } else if (major >= 15) {
    parts.push("LOCALE_PROVIDER libc");
  }
  await maintenance.run(parts.join(" "));
  await mark(maintenance, name, "scratch", runText(context));
}

export async function mark(session: Session, name: string, mark: Mark, text: string): Promise<void> {
  await session.run(`ALTER DATABASE ${quoteName(name)} SET "memkeep"."${mark}" TO ${quoteText(text)}`);
}

export async function unmark(session: Session, name: string, mark: Mark): Promise<void> {
  await session.run(`ALTER DATABASE ${quoteName(name)} RESET "memkeep"."${mark}"`);
}

export async function markedDatabases(session: Session): Promise<MarkedDatabase[]> {
  const rows = await session.rows<{ name: string; setting: string }>(`
    SELECT d.datname AS name, s.setting
      FROM pg_db_role_setting c JOIN pg_database d ON d.oid = c.setdatabase
     CROSS JOIN LATERAL unnest(c.setconfig) AS s(setting)
     WHERE c.setrole = 0 AND s.setting ~ '^memkeep[.](scratch|kept)=' ORDER BY 1`);
  return rows.map(({ name, setting }) => {
    const equals = setting.indexOf("=");
    return {
      name,
      mark: setting.slice("memkeep.".length, equals) === "kept" ? "kept" : "scratch",
      text: setting.slice(equals + 1),
    };
  });
}

/** Drops a database that carries the mark; refuses any other. A database that is not there is well. */
export async function dropMarked(maintenance: Session, name: string, wanted: Mark): Promise<void> {
  const exists = await maintenance.value("SELECT 1 FROM pg_database WHERE datname = $1", [name]);
  if (exists === null) return;
  const marked = (await markedDatabases(maintenance)).find((database) => database.name === name);
  if (marked?.mark !== wanted) {
    throw new MemkeepError("STORE_UNSUPPORTED", {
      tried: `drop the database ${name}`,
      happened: "it does not carry memkeep's mark",
      next: "Drop it by hand if it is not needed.",
    });
  }
  await maintenance.run(`DROP DATABASE ${quoteName(name)} WITH (FORCE)`);
}
