/** Refusals of what a kind of store cannot do, before anything is read: going on would replace what should stay. */
import { MemkeepError } from "../domain/errors.ts";
import type { RestoreOptions } from "./store.ts";

/** For a store without schemas, parts, globals and a database that stays set aside: `USAGE`. */
export function refuseParts(kind: string, { only, globals, discardOld }: RestoreOptions): void {
  const asked = [
    ...(only?.schemas ? ["--schema"] : []),
    ...(only?.collections ? ["--table"] : []),
    ...(globals === true ? ["--globals"] : []),
    ...(discardOld === true ? ["--discard-old"] : []),
  ];
  if (asked.length === 0) return;
  throw new MemkeepError("USAGE", {
    tried: `restore with ${asked.join(" and ")}`,
    happened: `a ${kind} store has no such thing: it is for PostgreSQL`,
    next: "Leave it out, or name a PostgreSQL store with --store.",
  });
}
