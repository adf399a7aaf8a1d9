/** From flags, variables and a file to a resolved configuration. A flag beats a variable, a variable the file, the file a default. */
import type { Redactor } from "../util/redact/redactor.ts";
import { assemble } from "./assemble.ts";
import type { Given, LoadedConfiguration } from "./configuration.ts";
import type { Environment } from "./environment.ts";
import { findConfigFile } from "./find-file.ts";
import type { ConfigDocument } from "./read-file.ts";

export interface ConfigurationRequest {
  /** `--config`. */
  readonly file: string | undefined;
  /** `--store`, or stores named as arguments: `[NAME=]URL`s and names. */
  readonly stores: readonly string[];
  /** `--repository`: a name or URL. */
  readonly repository: string | undefined;
  /** `--stack`. */
  readonly stack: string | undefined;
  /** `--cache-size`. */
  readonly cacheSize: string | undefined;
  readonly environment: Environment;
  readonly signal: AbortSignal;
  /** Is told of every secret. */
  readonly redactor: Redactor;
}

/**
 * Where stores and a repository are both given by URL, no file is looked for: then only one that is named is read.
 * `CONFIG_INVALID` for a file with problems, `USAGE` for flags with problems.
 */
export async function loadConfiguration(request: ConfigurationRequest): Promise<LoadedConfiguration> {
  const { environment } = request;
  const stores = given(request.stores, "--store", environment["MEMKEEP_STORE"], "MEMKEEP_STORE");
  const repository = given(
    request.repository === undefined ? [] : [request.repository],
    "--repository",
    environment["MEMKEEP_REPOSITORY"],
    "MEMKEEP_REPOSITORY",
  );
  const stack = given(
    request.stack === undefined ? [] : [request.stack],
    "--stack",
    environment["MEMKEEP_STACK"],
    "MEMKEEP_STACK",
  );
  const cacheSize = given(
    request.cacheSize === undefined ? [] : [request.cacheSize],
    "--cache-size",
    environment["MEMKEEP_CACHE_SIZE"],
    "MEMKEEP_CACHE_SIZE",
  );
  const found = await findConfigFile(request.file, environment);
  const enough = stores !== undefined && repository !== undefined && stores.value.every(isUrlLike);
  const document = found && (found.named || !enough) ? await readDocument(found.path) : undefined;
  return assemble({
    document,
    stores,
    repository: first(repository),
    stack: first(stack),
    cacheSize: first(cacheSize),
    environment,
    signal: request.signal,
    redactor: request.redactor,
  });
}

/** The YAML parser is loaded only where there is a file. */
async function readDocument(path: string): Promise<ConfigDocument> {
  const { readConfigFile } = await import("./read-file.ts");
  return readConfigFile(path);
}

function given(
  flags: readonly string[],
  flag: string,
  variable: string | undefined,
  variableName: string,
): Given<readonly string[]> | undefined {
  if (flags.length > 0) return { value: flags, origin: { kind: "flag", name: flag } };
  if (variable === undefined || variable === "") return undefined;
  return { value: [variable], origin: { kind: "variable", name: variableName } };
}

function first(all: Given<readonly string[]> | undefined): Given<string> | undefined {
  return all && { value: all.value[0]!, origin: all.origin };
}

function isUrlLike(text: string): boolean {
  return /[/\\:=.]/.test(text);
}
