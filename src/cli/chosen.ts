/** Which stores or repositories of the configuration a command means. */
import { MemkeepError } from "../domain/errors.ts";
import { nearestName } from "../domain/nearest.ts";

/** Those with the given names, or all when none are given. `USAGE`, with the nearest name, for one that is not there. */
export function chosen<T extends { readonly name: string }>(
  all: readonly T[],
  names: readonly string[] | undefined,
  what: string,
): readonly T[] {
  if (names === undefined) return all;
  const known = all.map(({ name }) => name);
  for (const name of names) {
    if (known.includes(name)) continue;
    const nearest = nearestName(name, known);
    throw new MemkeepError("USAGE", {
      tried: `find the ${what} ${name}`,
      happened: `there is none of that name; known: ${known.join(", ")}`,
      next: nearest === undefined ? `For a path write ./${name}.` : `Did you mean ${nearest}?`,
    });
  }
  return all.filter(({ name }) => names.includes(name));
}
