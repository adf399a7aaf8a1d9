/** What every command works with. Made once a process, and nothing of it is global. */
import { hostname } from "node:os";
import { join } from "node:path";
import type { Environment } from "../config/environment.ts";
import type { LoadedConfiguration } from "../config/configuration.ts";
import { cacheRoot, spoolRoot } from "../util/fs/folders.ts";
import type { OpeningAccess } from "../config/open-stack.ts";
import { parseDuration, durationForm } from "../domain/duration.ts";
import { MemkeepError } from "../domain/errors.ts";
import type { Surroundings } from "../engine/stack.ts";
import type { Clock } from "../util/clock/clock.ts";
import type { Redactor } from "../util/redact/redactor.ts";
import type { Completable } from "./completion/candidates.ts";
import type { Pipe } from "./output/pipe.ts";
import type { Reporter } from "./output/reporter.ts";

/** Options that every command has. */
export interface CommonOptions {
  readonly config?: string;
  readonly repository?: string;
  readonly stack?: string;
  readonly retryLock?: string;
  readonly cacheSize?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
  /** False with `--no-color`. */
  readonly color: boolean;
}

export interface ContextParts {
  readonly options: CommonOptions;
  readonly environment: Environment;
  readonly reporter: Reporter;
  readonly stdout: Pipe;
  readonly redactor: Redactor;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly program: string;
  /** All commands, for completion. */
  readonly commands: readonly Completable[];
}

export class Context {
  readonly options: CommonOptions;
  readonly environment: Environment;
  readonly reporter: Reporter;
  readonly stdout: Pipe;
  readonly redactor: Redactor;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly program: string;
  readonly commands: readonly Completable[];

  constructor(parts: ContextParts) {
    this.options = parts.options;
    this.environment = parts.environment;
    this.reporter = parts.reporter;
    this.stdout = parts.stdout;
    this.redactor = parts.redactor;
    this.clock = parts.clock;
    this.signal = parts.signal;
    this.program = parts.program;
    this.commands = parts.commands;
  }

  /** Flags, variables and the file put together. `stores` are what was given for `--store`, `repository` for `--repository`. */
  async configuration(
    stores: readonly string[] = [],
    repository: string | undefined = this.options.repository,
  ): Promise<LoadedConfiguration> {
    const { loadConfiguration } = await import("../config/load.ts");
    return loadConfiguration({
      file: this.options.config,
      repository,
      stack: this.options.stack,
      cacheSize: this.options.cacheSize,
      stores,
      environment: this.environment,
      signal: this.signal,
      redactor: this.redactor,
    });
  }

  /** How repositories are opened. `confirm` asks for a new password, twice. */
  async opening(confirm = false): Promise<OpeningAccess> {
    const { canAsk, askPassword } = await import("./prompt.ts");
    return {
      clock: this.clock,
      program: this.program,
      signal: this.signal,
      environment: this.environment,
      redactor: this.redactor,
      retryLockMs: this.#retryLockMs(),
      cacheFolder: join(cacheRoot(this.environment), "repositories"),
      ask: canAsk()
        ? ({ name }) => askPassword({ repository: name, confirm, signal: this.signal })
        : undefined,
    };
  }

  surroundings(): Surroundings {
    return {
      clock: this.clock,
      observer: this.reporter.observer,
      signal: this.signal,
      spoolRoot: spoolRoot(this.environment),
      program: this.program,
      hostname: hostname(),
    };
  }

  #retryLockMs(): number | undefined {
    const text = this.options.retryLock;
    return text === undefined ? undefined : durationOption("--retry-lock", text);
  }
}

/** `USAGE` when the text is no duration. */
export function durationOption(flag: string, text: string): number {
  const durationMs = parseDuration(text);
  if (durationMs !== undefined) return durationMs;
  throw new MemkeepError("USAGE", {
    tried: `understand ${flag}`,
    happened: `${JSON.stringify(text.slice(0, 80))} is no duration`,
    next: `Write ${durationForm}.`,
  });
}
