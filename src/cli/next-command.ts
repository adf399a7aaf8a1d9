/** The next useful command, as it can be typed: with the flags by which this one found its repository. */
import type { Context } from "./context.ts";

/** Tells it: `Next: memkeep verify 1f3a9c -r ./backups`. `words` are made here, so they need no quotes. */
export function tellNext(context: Context, words: string): void {
  context.reporter.note("Next:", `memkeep ${words}${sameFlags(context)}`);
}

/** ` -c FILE -r REPOSITORY`, as far as they were given. */
export function sameFlags({ options }: Context): string {
  const flags: string[] = [];
  if (options.config !== undefined) flags.push("-c", quoted(options.config));
  if (options.repository !== undefined) flags.push("-r", quoted(options.repository));
  if (options.stack !== undefined) flags.push("--stack", quoted(options.stack));
  return flags.map((flag) => ` ${flag}`).join("");
}

/** A word as a shell takes it. */
export function quoted(word: string): string {
  return /^[A-Za-z0-9_./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
