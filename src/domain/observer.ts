/**
 * What an operation tells while it works. The engine and the adaptors call it; the command line draws it, the
 * daemon logs it. Nothing that is told here is needed for correctness, and nothing told here holds a secret.
 */
export interface Observer {
  /** A step begins: one short clause in the present, such as `copying memory.db`. */
  step(scope: string, text: string): void;
  /** Bytes (or records) done so far of a step, and how many there will be where that is known. */
  progress(scope: string, done: number, total: number | undefined, unit: "bytes" | "records"): void;
  /** Something that the reader should know and that does not stop the operation. It is also in the report. */
  warn(scope: string, text: string): void;
}

/** Tells nobody. */
export const silentObserver: Observer = {
  step: () => undefined,
  progress: () => undefined,
  warn: () => undefined,
};
