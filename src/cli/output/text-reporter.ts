/** For people: results on standard output, everything else on standard error. */
import type { Clock } from "../../util/clock/clock.ts";
import type { Redactor } from "../../util/redact/redactor.ts";
import type { Pipe } from "./pipe.ts";
import { ProgressLine } from "./progress.ts";
import type { Failure, Reporter } from "./reporter.ts";
import { printable, type Style, wrap } from "./style.ts";
import type { Terminal } from "./terminal.ts";

export interface TextReporterParts {
  readonly stdout: Pipe;
  readonly stderr: Pipe;
  readonly terminal: Terminal;
  readonly style: Style;
  readonly redactor: Redactor;
  readonly clock: Clock;
  readonly quiet: boolean;
  readonly verbose: boolean;
}

/** Without a terminal, a sign of life that often: a log stays readable. */
const plainProgressEveryMs = 30_000;

export function createTextReporter(parts: TextReporterParts): Reporter {
  const { stdout, stderr, terminal, style, redactor, clock, quiet, verbose } = parts;
  const line = new ProgressLine(stderr, clock, terminal.columns, style.signs.more);
  // Whoever reads a log searches it by line; only a terminal's lines are broken here.
  const columns = terminal.interactive ? terminal.columns : Number.POSITIVE_INFINITY;
  let lastPlainMs = clock.monotonicMs();

  function say(text: string): void {
    line.clear();
    stderr.write(`${redactor.text(text)}\n`);
  }

  return {
    observer: {
      step(scope, text) {
        if (quiet) return;
        // On a terminal the line of progress tells enough; a log wants to know where it stood.
        if (verbose || !terminal.interactive) say(style.dim(`${printable(scope)}: ${printable(text)}`));
        else line.step(scope, redactor.text(text));
      },
      progress(scope, done, total, unit) {
        if (quiet) return;
        if (terminal.interactive) {
          line.update(scope, done, total, unit);
          return;
        }
        const nowMs = clock.monotonicMs();
        if (nowMs - lastPlainMs < plainProgressEveryMs) return;
        lastPlainMs = nowMs;
        const share =
          total === undefined || total === 0 ? "" : ` (${Math.min(100, Math.floor((done / total) * 100))}%)`;
        say(`${printable(scope)}: ${done} ${unit}${share}`);
      },
      warn(scope, text) {
        say(wrap(`${style.warn("warning:")} ${printable(scope)}: ${printable(text)}`, columns, ""));
      },
    },
    show(kind, data, view) {
      line.clear();
      if (quiet && kind === "report") return;
      const text = view(redactor.data(data), style);
      if (text !== "") stdout.write(`${text}\n`);
    },
    note(text, command) {
      if (quiet) return;
      const words = wrap(text, columns, "");
      if (command === undefined) say(words);
      else say(`${words}${text.includes(" ") ? "\n  " : " "}${command}`);
    },
    fail(failure) {
      say(failureText(failure, style, columns));
    },
    close() {
      line.clear();
    },
  };
}

/** What was tried and what happened; then every detail that is a list; then what to do. */
function failureText(failure: Failure, style: Style, columns: number): string {
  const lines = [wrap(`${style.bad("error:")} ${cleanLines(failure.message)}`, columns, "")];
  for (const value of Object.values(failure.details ?? {})) {
    if (!Array.isArray(value) || !value.every((item) => typeof item === "string")) continue;
    lines.push(...value.map((item) => `  ${wrap(printable(item), columns, "    ").trimStart()}`));
  }
  if (failure.next !== undefined) lines.push(wrap(cleanLines(failure.next), columns, ""));
  if (failure.stack !== undefined) lines.push(style.dim(cleanLines(failure.stack)));
  return lines.join("\n");
}

function cleanLines(text: string): string {
  return text.split("\n").map(printable).join("\n");
}
