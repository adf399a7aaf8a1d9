import { seededBytes } from "./random-bytes.ts";
import type { Content } from "./world.ts";

/** What the process that is killed backs up with a seed: neighbours share most of it, so that prune has packs to rewrite. */
export function contentOf(seed: number): Content {
  const parts = Array.from({ length: 4 }, (_, part) => seededBytes(seed - (seed % (part + 2)), 150_000));
  return { "store/a.jsonl": Buffer.concat(parts), "store/b.jsonl": seededBytes(seed, 5_000) };
}
