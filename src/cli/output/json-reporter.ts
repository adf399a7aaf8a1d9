/** One JSON document on standard output; on standard error one JSON object a line: warnings, an error, with `--verbose` the steps. */
import type { Redactor } from "../../util/redact/redactor.ts";
import type { Pipe } from "./pipe.ts";
import type { Failure, Reporter } from "./reporter.ts";

export interface JsonReporterParts {
  readonly stdout: Pipe;
  readonly stderr: Pipe;
  readonly redactor: Redactor;
  readonly verbose: boolean;
}

export function createJsonReporter({ stdout, stderr, redactor, verbose }: JsonReporterParts): Reporter {
  function line(pipe: Pipe, value: unknown): void {
    pipe.write(`${JSON.stringify(redactor.data(value))}\n`);
  }
  return {
    observer: {
      step(scope, text) {
        if (verbose) line(stderr, { step: { scope, text } });
      },
      progress: () => undefined,
      warn(scope, text) {
        line(stderr, { warning: { scope, text } });
      },
    },
    show(_kind, data) {
      stdout.write(`${JSON.stringify(redactor.data(data), null, 2)}\n`);
    },
    note: () => undefined,
    fail(failure: Failure) {
      line(stderr, { error: failure });
    },
    close: () => undefined,
  };
}
