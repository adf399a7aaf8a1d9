/** Vectors with an infinite element: REST prints it as `null`, so they can neither be read nor written back (readme.md, Numbers). */
import { MemkeepError } from "../../domain/errors.ts";
import type { Point } from "./page.ts";

/** So many points are named; the number of all is told too. */
const namedInfinite = 1000;

/** The error that names them, for whoever did not accept them. */
export function infiniteVectors(collection: string, keys: readonly string[], count: number): MemkeepError {
  return new MemkeepError("STORE_UNREADABLE", {
    tried: `read the vectors of ${collection}`,
    happened: `${count} points have a vector with an infinite element, which the server prints as null: ${keys.slice(0, 10).join(", ")}`,
    next: "Write these vectors anew, or set `acceptInfinite: true`: then they are left out, and the manifest names them.",
    details: { collection, keys },
  });
}

/** Points whose vectors the REST interface cannot print: it writes `null` for an infinite element. */
export class Infinite {
  readonly #keys: string[] = [];
  #count = 0;

  note(points: readonly Point[]): void {
    for (const { key, infinite } of points) {
      if (infinite.length === 0) continue;
      this.#count++;
      if (this.#keys.length < namedInfinite) this.#keys.push(key);
    }
  }

  refuse(collection: string): void {
    if (this.#count === 0) return;
    throw infiniteVectors(collection, this.#keys, this.#count);
  }

  omitted(collection: string): { what: string; why: string }[] {
    if (this.#count === 0) return [];
    const rest = this.#count > this.#keys.length ? ` and ${this.#count - this.#keys.length} more` : "";
    return [
      {
        what: `vectors with an infinite element of ${this.#count} points of ${collection}: ${this.#keys.sort().join(", ")}${rest}`,
        why: "the REST interface prints infinities as null; the configuration accepts that (acceptInfinite)",
      },
    ];
  }
}
