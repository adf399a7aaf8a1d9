/** A configuration, resolved: what the engine's stack is made of. Secrets in it are `Secret`s, so it may be printed. */
import type { KeepRules } from "../domain/keep/index.ts";
import type { ConfigPath, Origin } from "./origin.ts";
import type { StoragePlace } from "../storages/index.ts";
import type { Secret } from "../util/redact/secret.ts";

export interface ConfiguredStore {
  readonly name: string;
  readonly kind: string;
  readonly optional: boolean;
  /** As the adaptor's schema gave it, with secrets sealed. */
  readonly config: unknown;
}

/** Where a repository's password is to be had, before it is asked for. */
export type PasswordSource =
  | { readonly kind: "value"; readonly secret: Secret }
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "command"; readonly argv: readonly string[] };

export interface ConfiguredRepository {
  readonly name: string;
  readonly place: StoragePlace;
  readonly password: PasswordSource | undefined;
  readonly retryLockMs: number;
}

export interface BackupSettings {
  /** Names of repositories; all when undefined. */
  readonly to: readonly string[] | undefined;
  readonly minIntervalMs: number;
  readonly keep: KeepRules | undefined;
  /** Free the room of forgotten snapshots in the same run. */
  readonly prune: boolean;
  readonly verify: "stored" | "decoded" | "restored" | undefined;
  /** With several repositories, how long one may take for one request. */
  readonly stallLimitMs: number;
  /** With several repositories, how long one may make the others wait in all; for ever when undefined. */
  readonly holdLimitMs: number | undefined;
  /** After a backup, bring repositories that lag up to date. */
  readonly catchUp: boolean;
  readonly tags: readonly string[];
}

export interface RestoreSettings {
  /** Programs with their arguments. */
  readonly before: readonly string[] | undefined;
  readonly after: readonly string[] | undefined;
  readonly limitMs: number;
}

export interface ResolvedValue {
  readonly path: ConfigPath;
  /** Secrets are masked. */
  readonly value: unknown;
  readonly origin: Origin;
}

export interface Configuration {
  /** The file that was read, if any. */
  readonly file: string | undefined;
  /** Undefined when only a repository was named. */
  readonly stack: string | undefined;
  readonly stores: readonly ConfiguredStore[];
  readonly repositories: readonly ConfiguredRepository[];
  readonly backup: BackupSettings;
  /** Undefined where the configuration has no commands for it. */
  readonly restore: RestoreSettings | undefined;
  /** How much of repositories far away is kept on this machine, all of them together. */
  readonly cacheBytes: number;
  /** Every value with where it comes from, in the order of the file, defaults last. */
  readonly values: readonly ResolvedValue[];
  /** All of it as one tree with secrets masked, as it goes into manifests. */
  readonly masked: unknown;
}

/** A value of a flag or a variable, with its origin. */
export interface Given<T> {
  readonly value: T;
  readonly origin: Origin;
}

export interface LoadedConfiguration {
  readonly configuration: Configuration;
  /** Names that were given for `--store`; undefined when none was. They need not be in the configuration. */
  readonly chosenStores: readonly string[] | undefined;
}
