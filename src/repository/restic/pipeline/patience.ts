/** Says when one repository has made the others wait for too long: a backup that only goes as fast as its slowest place may never end. */
import { MemkeepError } from "../../../domain/errors.ts";
import { durationText } from "../../../domain/words.ts";
import type { PackWriter } from "./pack-writer.ts";

interface Waiting {
  readonly writer: PackWriter;
  readonly failure: Error | undefined;
}

export class Patience {
  readonly #targets: readonly Waiting[];
  readonly #limitMs: number;

  /** @param targets all that one source goes to. */
  constructor(targets: readonly Waiting[], limitMs: number) {
    this.#targets = targets;
    this.#limitMs = limitMs;
  }

  /** `STORAGE_STALLED` when this one was waited for longer than the fastest of the others, by more than the limit in all. */
  check(target: Waiting): void {
    const others = this.#targets.filter((other) => other !== target && !other.failure);
    if (others.length === 0) return;
    const heldMs = target.writer.waitedMs - Math.min(...others.map(({ writer }) => writer.waitedMs));
    if (heldMs <= this.#limitMs) return;
    throw new MemkeepError("STORAGE_STALLED", {
      tried: `write at the pace of the other repositories to ${target.writer.location}`,
      happened: `it made them wait for ${durationText(heldMs)} in all, and backup.holdLimit is ${durationText(this.#limitMs)}`,
      next: "What arrived there is kept and not sent again; `memkeep copy` or the next backup brings that repository up to date.",
    });
  }
}
