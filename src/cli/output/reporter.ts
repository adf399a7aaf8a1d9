/** What a command tells, behind one interface: for people as text, for programs as JSON. */
import type { Observer } from "../../domain/observer.ts";
import type { Style } from "./style.ts";

export interface Reporter {
  /** Steps, progress and warnings while the work is done; on standard error. */
  readonly observer: Observer;

  /**
   * The command's result on standard output: `data` as JSON, or what `view` makes of it. Called once a command.
   *
   * @param kind `data` was asked for, and is shown even with `--quiet`; a `report` tells what was done.
   */
  show<T>(kind: "data" | "report", data: T, view: (data: T, style: Style) => string): void;

  /**
   * A remark for people, on standard error: an explanation, and the next useful command, which is never broken into
   * lines so that it can be copied. Not in JSON, not when quiet.
   */
  note(text: string, command?: string): void;

  /** What went wrong, on standard error; as JSON an object with the key `error`. */
  fail(failure: Failure): void;

  /** Takes progress off the screen. Nothing is told afterwards. */
  close(): void;
}

/** An error as it is told: shape of `{"error": …}`. */
export interface Failure {
  readonly code: string;
  readonly exitCode: number;
  readonly message: string;
  readonly next: string | undefined;
  readonly details: Readonly<Record<string, unknown>> | undefined;
  /** With `--verbose` only. */
  readonly stack: string | undefined;
}
