/**
 * The registry of storage kinds: one line each, explicit, loaded only when used (a client library is not paid for by
 * those who keep their backups in a folder).
 */
import { z } from "zod";
import type { ZodType } from "zod";
import { MemkeepError } from "../domain/errors.ts";
import type { Observer } from "../domain/observer.ts";
import type { Storage, StorageFacts, StorageKind } from "./storage.ts";
import { invalidUrl } from "./url.ts";

export interface StorageConfigModule<Config> {
  /** Zod schema of the keys beside `type:`; secret keys carry `.meta({ secret: true })`. */
  readonly schema: ZodType<Config>;
  /** `CONFIG_INVALID` with words when the URL does not fit. */
  fromUrl(url: string): Config;
}

/** A place where a repository's bytes are, or shall be. */
export interface StoragePlace {
  readonly kind: string;
  /** As the kind's schema gave it, defaults included. May hold secrets. */
  readonly config: unknown;
  /** Opens what is there; writes nothing. `STORAGE_MISSING` where there is no such folder or bucket. */
  open(observer?: Observer): Promise<Storage>;
  /** Makes the folder when there is none, and opens it. A bucket must exist. */
  create(observer?: Observer): Promise<Storage>;
  /** For `doctor` and `prune`; undefined where there is nothing to learn. */
  inspect(): Promise<StorageFacts | undefined>;
}

export interface StorageRegistration {
  /** The `type:` of the configuration and the folder's name. */
  readonly kind: string;
  /** Beginnings of URLs that name this kind. A URL without one is a path. */
  readonly schemes: readonly string[];
  /** The kind's schema, for the configuration layer. Loads no client. */
  schema(): Promise<ZodType>;
  /** `CONFIG_INVALID` with words when the URL does not fit. */
  fromUrl(url: string): Promise<StoragePlace>;
  /** `CONFIG_INVALID` with words when the values do not fit the schema. */
  fromConfig(config: unknown): Promise<StoragePlace>;
}

/** One line of the registry. The type of its configuration stays inside. */
function register<Config>(
  kind: string,
  schemes: readonly string[],
  module: () => Promise<StorageConfigModule<Config>>,
  adaptor: () => Promise<StorageKind<Config>>,
): StorageRegistration {
  const place = (config: Config): StoragePlace => ({
    kind,
    config,
    open: async (observer) => (await adaptor()).open(config, observer),
    create: async (observer) => (await adaptor()).create(config, observer),
    inspect: async () => (await adaptor()).inspect?.(config),
  });
  return {
    kind,
    schemes,
    schema: async () => (await module()).schema,
    fromUrl: async (url) => place((await module()).fromUrl(url)),
    fromConfig: async (config) => place(parsed(kind, (await module()).schema, config)),
  };
}

function parsed<Config>(kind: string, schema: ZodType<Config>, config: unknown): Config {
  const result = schema.safeParse(config);
  if (result.success) return result.data;
  throw new MemkeepError("CONFIG_INVALID", {
    tried: `understand the configuration of a storage of type ${kind}`,
    happened: z.prettifyError(result.error),
  });
}

export const storageKinds: readonly StorageRegistration[] = [
  register(
    "local",
    ["file:", "local:"],
    () => import("./local/config.ts"),
    async () => (await import("./local/index.ts")).local,
  ),
  register(
    "s3",
    ["s3:"],
    () => import("./s3/config.ts"),
    async () => (await import("./s3/index.ts")).s3,
  ),
];

/**
 * The place that a storage URL names: a path, `file:` and a path, `s3:https://host/bucket/prefix` or
 * `s3:host/bucket/prefix`, as restic writes them. `CONFIG_INVALID` for anything else; secrets in it are not repeated.
 */
export async function parseStorageUrl(url: string): Promise<StoragePlace> {
  // A single letter is a Windows drive.
  const scheme = /^[a-z][a-z0-9+.-]+:/i.exec(url)?.[0].toLowerCase() ?? "file:";
  const kind = storageKinds.find(({ schemes }) => schemes.includes(scheme));
  if (kind !== undefined) return kind.fromUrl(url);
  if (["http:", "https:"].includes(scheme)) {
    throw invalidUrl(
      url,
      "it is a web address",
      "For a bucket, write s3: in front of it: s3:https://host/bucket.",
    );
  }
  const known = storageKinds.flatMap(({ schemes }) => schemes).join(", ");
  throw invalidUrl(
    url,
    `there is no kind of storage for ${scheme} (known: a path, ${known})`,
    "Where it is the name of a folder, write ./ in front of it.",
  );
}
