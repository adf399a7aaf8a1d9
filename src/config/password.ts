/** Finds a repository's password. It is never an argument: arguments are seen by everybody on the machine. */
import { MemkeepError, reasonOf } from "../domain/errors.ts";
import type { Redactor } from "../util/redact/redactor.ts";
import { Secret } from "../util/redact/secret.ts";
import type { ConfiguredRepository } from "./configuration.ts";
import type { Environment } from "./environment.ts";
import { readSecretFile, runSecretCommand } from "./secret-file.ts";

export interface PasswordAccess {
  readonly environment: Environment;
  readonly signal: AbortSignal;
  readonly redactor: Redactor;
  /** Asks on the terminal; undefined when there is none. */
  readonly ask: ((repository: ConfiguredRepository) => Promise<string>) | undefined;
}

export interface FoundPassword {
  readonly secret: Secret;
  /** For the error when it is wrong: `MEMKEEP_PASSWORD`, `the configuration`. */
  readonly origin: string;
}

/**
 * In this order: MEMKEEP_PASSWORD, MEMKEEP_PASSWORD_FILE, MEMKEEP_PASSWORD_COMMAND, the same three with RESTIC_, the
 * configuration, the terminal. `PASSWORD_MISSING` when there is none.
 */
export async function findPassword(
  repository: ConfiguredRepository,
  access: PasswordAccess,
): Promise<FoundPassword> {
  const found = (await fromEnvironment(access)) ?? (await fromConfiguration(repository, access));
  if (found) {
    access.redactor.add(found.secret);
    return found;
  }
  if (access.ask) {
    const secret = new Secret(await access.ask(repository));
    access.redactor.add(secret);
    return { secret, origin: "what was typed" };
  }
  throw new MemkeepError("PASSWORD_MISSING", {
    tried: `open the repository ${repository.name}`,
    happened: "no password was given, and there is no terminal to ask on",
    next: "Set MEMKEEP_PASSWORD, MEMKEEP_PASSWORD_FILE or MEMKEEP_PASSWORD_COMMAND, or passwordFile in the configuration.",
  });
}

/** The variable that a password would come from, if one is set. */
export function passwordVariable(environment: Environment): string | undefined {
  return ["MEMKEEP_PASSWORD", "RESTIC_PASSWORD"]
    .flatMap((name) => [name, `${name}_FILE`, `${name}_COMMAND`])
    .find((name) => environment[name] !== undefined && environment[name] !== "");
}

/**
 * A new password for a repository: MEMKEEP_NEW_PASSWORD, MEMKEEP_NEW_PASSWORD_FILE, MEMKEEP_NEW_PASSWORD_COMMAND, or the
 * terminal. `PASSWORD_MISSING` when there is none.
 */
export async function findNewPassword(
  repository: ConfiguredRepository,
  access: PasswordAccess,
): Promise<Secret> {
  const found = await fromEnvironment(access, ["MEMKEEP_NEW_PASSWORD"]);
  const secret = found?.secret ?? (access.ask && new Secret(await access.ask(repository)));
  if (!secret) {
    throw new MemkeepError("PASSWORD_MISSING", {
      tried: `give the repository ${repository.name} a new password`,
      happened: "none was given, and there is no terminal to ask on",
      next: "Set MEMKEEP_NEW_PASSWORD, MEMKEEP_NEW_PASSWORD_FILE or MEMKEEP_NEW_PASSWORD_COMMAND.",
    });
  }
  access.redactor.add(secret);
  return secret;
}

async function fromEnvironment(
  access: PasswordAccess,
  names: readonly string[] = ["MEMKEEP_PASSWORD", "RESTIC_PASSWORD"],
): Promise<FoundPassword | undefined> {
  for (const name of names) {
    const value = access.environment[name];
    if (value !== undefined && value !== "") return { secret: new Secret(value), origin: name };
    const file = access.environment[`${name}_FILE`];
    if (file !== undefined && file !== "") {
      return secretFrom(`${name}_FILE`, () => readSecretFile(file));
    }
    const command = access.environment[`${name}_COMMAND`];
    if (command !== undefined && command !== "") {
      return secretFrom(`${name}_COMMAND`, () => runSecretCommand(splitWords(command), access.signal));
    }
  }
  return undefined;
}

async function fromConfiguration(
  { password }: ConfiguredRepository,
  access: PasswordAccess,
): Promise<FoundPassword | undefined> {
  switch (password?.kind) {
    case undefined:
      return undefined;
    case "value":
      return { secret: password.secret, origin: "the configuration" };
    case "file":
      return secretFrom("passwordFile in the configuration", () => readSecretFile(password.path));
    case "command":
      return secretFrom("passwordCommand in the configuration", () =>
        runSecretCommand(password.argv, access.signal),
      );
  }
}

async function secretFrom(origin: string, read: () => Promise<string>): Promise<FoundPassword> {
  try {
    return { secret: new Secret(await read()), origin };
  } catch (cause) {
    if (cause instanceof MemkeepError) throw cause;
    throw new MemkeepError("PASSWORD_MISSING", {
      tried: `get the password from ${origin}`,
      happened: reasonOf(cause),
      cause,
    });
  }
}

/** A command in a variable: words as in a shell, with quotes and backslashes, but nothing is expanded and no shell runs. */
export function splitWords(text: string): string[] {
  const words: string[] = [];
  const token = /\s*((?:"(?:\\.|[^"\\])*"|'[^']*'|\\.|[^\s"'\\])+)/gsy;
  for (const [, word] of text.matchAll(token)) {
    words.push(
      word!.replaceAll(/"((?:\\.|[^"\\])*)"|'([^']*)'|\\(.)/gs, (_whole, double, single, escaped) =>
        String(double === undefined ? (single ?? escaped) : String(double).replaceAll(/\\(["\\$`])/g, "$1")),
      ),
    );
  }
  return words;
}
