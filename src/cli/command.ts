/** What a file under `commands/` exports: everything about one command, loaded when it is used. */
import type { Command } from "commander";
import type { ExitCode } from "../domain/errors.ts";
import type { Context } from "./context.ts";

export interface Example {
  readonly command: string;
  readonly text: string;
}

export interface CommandModule {
  /** Shown first in its help. */
  readonly examples: readonly Example[];
  /** What is good to know, after the options. */
  readonly notes?: readonly string[];
  /** Exit codes it can end with beside 0, 2, 64 and 130. */
  readonly exits: readonly ExitCode[];
  /** Adds arguments and options. */
  declare(command: Command): void;
  /** `args` are the arguments, in order; `options` the command's own, by their camel-case names. */
  run(context: Context, args: readonly string[], options: CommandOptions): Promise<ExitCode>;
}

/** Values of a command's own options: a text, a list for one that may be repeated, true for a switch. */
export type CommandOptions = Readonly<Record<string, string | readonly string[] | boolean | undefined>>;

export function textOption(options: CommandOptions, name: string): string | undefined {
  const value = options[name];
  return typeof value === "string" ? value : undefined;
}

export function listOption(options: CommandOptions, name: string): readonly string[] {
  const value = options[name];
  return Array.isArray(value) ? (value as readonly string[]) : [];
}

export function switchOption(options: CommandOptions, name: string): boolean {
  return options[name] === true;
}

/** For `command.option(…, collect, [])`: an option that may be repeated, one value each time. */
export function collect(value: string, previous: readonly string[]): string[] {
  return [...previous, value];
}
