/** Ctrl-C and its kin: the first ends the work cleanly, the second leaves at once. */
import { MemkeepError } from "../domain/errors.ts";
import { leaveAtOnce } from "./exit.ts";

/**
 * Listens from now on. SIGHUP is ignored: restic sends it to learn whether the holder of a lock lives, and a terminal that
 * closes must not end a backup.
 *
 * @param told is called once, at the first signal.
 */
export function listenForSignals(told: (text: string) => void): AbortSignal {
  const controller = new AbortController();
  function onSignal(signal: NodeJS.Signals): void {
    if (controller.signal.aborted) leaveAtOnce();
    const cause = signal === "SIGINT" ? "Ctrl-C was pressed" : `the signal ${signal} came`;
    told(`${cause}: ending cleanly. Once more leaves at once; nothing that is stored is lost.`);
    controller.abort(
      new MemkeepError("INTERRUPTED", {
        tried: "finish",
        happened: `it was abandoned, since ${cause}`,
        next: "Nothing was left half done. Run the same command again; what was stored already is used again.",
      }),
    );
  }
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  process.on("SIGHUP", () => undefined);
  return controller.signal;
}
