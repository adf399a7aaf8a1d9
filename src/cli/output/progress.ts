/** The line of progress at the bottom of a terminal: redrawn at most ten times a second, gone when the work is done. */
import type { Clock } from "../../util/clock/clock.ts";
import type { Pipe } from "./pipe.ts";
import { fit, printable, widthOf } from "./style.ts";
import { countText, durationText, sizeText } from "../../domain/words.ts";

const redrawEveryMs = 100;
/** Before that the rate says more about the start than about the work. */
const estimateAfterMs = 2000;

interface Work {
  readonly startedMs: number;
  readonly startedAt: number;
  done: number;
  total: number | undefined;
  unit: "bytes" | "records";
}

export class ProgressLine {
  readonly #pipe: Pipe;
  readonly #clock: Clock;
  readonly #columns: number;
  readonly #more: string;
  #scope = "";
  /** What is being done: `copying memory.db`. */
  #step = "";
  #work: Work | undefined;
  #drawnMs = Number.NEGATIVE_INFINITY;
  #shown = false;

  constructor(pipe: Pipe, clock: Clock, columns: number, more: string) {
    this.#pipe = pipe;
    this.#clock = clock;
    this.#columns = columns;
    this.#more = more;
  }

  step(scope: string, text: string): void {
    this.#scope = scope;
    this.#step = text;
    this.#work = undefined;
    this.#draw();
  }

  update(scope: string, done: number, total: number | undefined, unit: "bytes" | "records"): void {
    const nowMs = this.#clock.monotonicMs();
    if (scope !== this.#scope) {
      this.#scope = scope;
      this.#step = "";
      this.#work = undefined;
    }
    // Less than before: another pass over the same thing has begun.
    if (!this.#work || done < this.#work.done) {
      this.#work = { startedMs: nowMs, startedAt: done, done, total, unit };
    }
    Object.assign(this.#work, { done, total, unit });
    if (nowMs - this.#drawnMs >= redrawEveryMs) this.#draw();
  }

  /** Takes the line away, so that something else can be written in its place. */
  clear(): void {
    if (this.#shown) this.#pipe.write("\r\u001B[K");
    this.#shown = false;
    this.#drawnMs = Number.NEGATIVE_INFINITY;
  }

  /** The numbers stay whole where it is narrow; what is being done gives way. */
  #draw(): void {
    const nowMs = this.#clock.monotonicMs();
    this.#drawnMs = nowMs;
    const numbers = this.#work ? numbersText(this.#work, nowMs) : "";
    const label = [this.#scope, this.#step]
      .filter((part) => part !== "")
      .map(printable)
      .join(": ");
    // One column stays free: some terminals break the line when the last is written.
    const room = this.#columns - 1 - widthOf(numbers);
    this.#pipe.write(`\r\u001B[K${fit(label, Math.max(8, room), this.#more)}${numbers}`);
    this.#shown = true;
  }
}

/** `  45%  1.2 GB of 2.7 GB  110 MB/s  14 s left`. */
function numbersText(work: Work, nowMs: number): string {
  const { done, total, unit } = work;
  const amount = unit === "bytes" ? sizeText : countText;
  const elapsedMs = nowMs - work.startedMs;
  const perMs = elapsedMs > 0 ? (done - work.startedAt) / elapsedMs : 0;
  const parts: string[] = [];
  // Totals of dumps are estimates: what goes beyond them is told without a share.
  const known = total !== undefined && total > 0 && done <= total;
  if (known) parts.push(`${Math.floor((done / total) * 100)}%`);
  parts.push(known ? `${amount(done)} of ${amount(total)}` : amount(done));
  if (perMs > 0 && elapsedMs >= redrawEveryMs) parts.push(`${amount(Math.round(perMs * 1000))}/s`);
  if (known && perMs > 0 && elapsedMs >= estimateAfterMs && done < total) {
    parts.push(`${durationText((total - done) / perMs)} left`);
  }
  return parts.map((part) => `  ${part}`).join("");
}
