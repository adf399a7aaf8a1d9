/** Checks every part of a configuration, and puts what flags and variables say over what the file says. */
import { nearestName } from "../domain/nearest.ts";
import { parseStorageUrl } from "../storages/index.ts";
import { storeKinds } from "../stores/index.ts";
import type { Redactor } from "../util/redact/redactor.ts";
import { checkRepositories } from "./check-repositories.ts";
import { checkStores } from "./check-stores.ts";
import type {
  BackupSettings,
  Configuration,
  ConfiguredRepository,
  ConfiguredStore,
  Given,
  LoadedConfiguration,
  ResolvedValue,
  RestoreSettings,
} from "./configuration.ts";
import type { Environment } from "./environment.ts";
import { explainIssues } from "./explain.ts";
import { storeSchemas } from "./kinds.ts";
import { keepRules } from "./keep.ts";
import { listValues, maskSecrets } from "./list-values.ts";
import { type Origin, pathKey } from "./origin.ts";
import { checkName, checkSize, isRepositoryName, nameOfUrl, readStores, type UrlStore } from "./overrides.ts";
import { type PreparedFile, prepareFile } from "./prepare.ts";
import { configError, type Problem } from "./problem.ts";
import type { ConfigDocument } from "./read-file.ts";
import { sealSecrets } from "./seal.ts";
import { mask } from "../util/redact/secret.ts";
import { passwordVariable } from "./password.ts";
import { RootSection } from "./sections.ts";
import { composeShape, shapeAt } from "./shape.ts";

export interface Parts {
  readonly document: ConfigDocument | undefined;
  readonly stores: Given<readonly string[]> | undefined;
  readonly repository: Given<string> | undefined;
  readonly stack: Given<string> | undefined;
  readonly cacheSize: Given<string> | undefined;
  readonly environment: Environment;
  readonly signal: AbortSignal;
  readonly redactor: Redactor;
}

/** One source's share: the file's, or what flags and variables give. */
interface Share {
  readonly stack: string | undefined;
  readonly stores: readonly ConfiguredStore[];
  readonly repositories: readonly ConfiguredRepository[];
  readonly backup: BackupSettings;
  readonly restore: RestoreSettings | undefined;
  readonly cacheBytes: number;
  readonly values: readonly ResolvedValue[];
  readonly masked: Readonly<Record<string, unknown>>;
}

const defaultRetryLockMs = 0;
/** Longer than a router's restart; shorter than an open view should hold back its store's own clean-up. */
const defaultStallLimitMs = 5 * 60_000;
/** The indexes of a few repositories with millions of blobs each. */
const defaultCacheBytes = 512 * 2 ** 20;
const nothing: Share = {
  stack: undefined,
  stores: [],
  repositories: [],
  backup: {
    to: undefined,
    minIntervalMs: 0,
    keep: undefined,
    prune: true,
    verify: undefined,
    stallLimitMs: defaultStallLimitMs,
    holdLimitMs: undefined,
    catchUp: false,
    tags: [],
  },
  restore: undefined,
  cacheBytes: defaultCacheBytes,
  values: [],
  masked: {},
};

export async function assemble(parts: Parts): Promise<LoadedConfiguration> {
  const { document, redactor } = parts;
  const file = document && (await prepareFile(document, parts.environment, parts.signal));
  let share = file ? await shareOfFile(file, redactor) : nothing;
  let chosenStores: readonly string[] | undefined;
  if (parts.stores) {
    const known = share.stores.map(({ name }) => name);
    const choice = readStores(parts.stores.value, parts.stores.origin, known);
    share = await withStores(share, choice.names, choice.urls, redactor);
    chosenStores = [...choice.names, ...choice.urls.map(({ name }) => name)];
  }
  if (parts.repository) share = await withRepository(share, parts.repository);
  if (parts.stack) share = withStack(share, checkName(parts.stack.value, "--stack"), parts.stack.origin);
  if (parts.cacheSize) share = withCacheSize(share, parts.cacheSize);
  const configuration: Configuration = {
    file: document?.source,
    ...share,
    masked: redactor.data(share.masked),
    values: withPassword(share, passwordVariable(parts.environment)).map((value) => ({
      ...value,
      value: redactor.data(value.value),
    })),
  };
  return { configuration, chosenStores };
}

async function shareOfFile(file: PreparedFile, redactor: Redactor): Promise<Share> {
  const problems: Problem[] = [];
  const root = RootSection.safeParse(file.tree);
  if (!root.success) problems.push(...explainIssues(root.error, [], file.about));
  const stores = checkStores(file, section(file, "stores"), redactor, problems);
  const repositories = await checkRepositories(file, section(file, "repositories"), redactor, problems);
  if (root.success) checkNames(file, root.data.backup?.to ?? [], problems);
  if (!root.success || problems.length + file.problems.length > 0) {
    // A value whose variable is missing is wrong in other ways too, which nobody needs to know.
    const before = new Set(file.problems.map(({ path }) => pathKey(path)));
    const others = problems.filter(({ path }) => !before.has(pathKey(path)));
    throw configError(file.source, [...file.problems, ...others]);
  }
  const { stack, backup, restore, cache } = root.data;
  return {
    stack,
    stores,
    repositories,
    backup: {
      to: backup?.to,
      minIntervalMs: backup?.minInterval ?? 0,
      keep: backup?.keep && keepRules(backup.keep),
      prune: backup?.prune ?? true,
      verify: backup?.verify,
      stallLimitMs: backup?.stallLimit ?? defaultStallLimitMs,
      holdLimitMs: backup?.holdLimit,
      catchUp: backup?.catchUp ?? false,
      tags: backup?.tags ?? [],
    },
    restore: restore && { before: restore.before, after: restore.after, limitMs: restore.commandLimit },
    cacheBytes: cache?.size ?? defaultCacheBytes,
    values: listValues(file.tree, file.shape, (path) => file.origin(path)),
    masked: maskSecrets(file.tree, file.shape) as Record<string, unknown>,
  };
}

function section(file: PreparedFile, name: string): Readonly<Record<string, unknown>> {
  const tree = file.tree;
  if (tree === null || typeof tree !== "object" || !Object.hasOwn(tree, name)) return {};
  const value = (tree as Record<string, unknown>)[name];
  return value !== null && typeof value === "object" && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
}

function checkNames(file: PreparedFile, names: readonly string[], problems: Problem[]): void {
  const known = Object.keys(section(file, "repositories"));
  for (const [index, name] of names.entries()) {
    if (known.includes(name)) continue;
    const path = ["backup", "to", index];
    const nearest = nearestName(name, known);
    const text = `there is no such repository; ${nearest === undefined ? `known are ${known.join(", ")}` : `did you mean \`${nearest}\`?`}`;
    problems.push({ path, position: file.about.position(path), text });
  }
}

/** Stores by URL take the place of the file's; of those only the ones named beside them stay. */
async function withStores(
  share: Share,
  names: readonly string[],
  urls: readonly UrlStore[],
  redactor: Redactor,
): Promise<Share> {
  if (urls.length === 0) return share;
  const kept = share.stores.filter(({ name }) => names.includes(name));
  const added = await Promise.all(urls.map((url) => storeOfUrl(url, redactor)));
  const keptMasked = Object.entries((share.masked["stores"] ?? {}) as Record<string, unknown>).filter(
    ([name]) => kept.some((store) => store.name === name),
  );
  return {
    ...share,
    stack: share.stack ?? urls[0]!.name,
    stores: [...kept, ...added.map(({ store }) => store)],
    values: [
      ...share.values.filter(({ path }) => path[0] !== "stores" || kept.some(({ name }) => name === path[1])),
      ...(share.stack === undefined ? [stackValue(urls[0]!.name, urls[0]!.origin)] : []),
      ...added.flatMap(({ values }) => values),
    ],
    masked: {
      ...share.masked,
      stack: share.stack ?? urls[0]!.name,
      stores: Object.fromEntries([...keptMasked, ...added.map(({ store, masked }) => [store.name, masked])]),
    },
  };
}

async function storeOfUrl(
  { name, kind, url, bare, origin }: UrlStore,
  redactor: Redactor,
): Promise<{ store: ConfiguredStore; values: ResolvedValue[]; masked: unknown }> {
  const registration = Object.values(storeKinds).find((known) => known.kind === kind)!;
  const module = await registration.config();
  // A path may hold any character, a URL may not.
  const config = bare ? module.schema.parse({ path: url }) : module.fromUrl(url);
  const tree = { stores: { [name]: { type: kind, ...(config as object) } } };
  const shape = composeShape(await storeSchemas([kind]), []);
  const own = shapeAt(shape, tree, ["stores", name]);
  return {
    store: {
      name,
      kind,
      optional: false,
      config: sealSecrets(config, own, (secret) => redactor.add(secret)),
    },
    values: listValues(tree.stores[name], own, () => origin).map((value) => ({
      ...value,
      path: ["stores", name, ...value.path],
    })),
    masked: maskSecrets(tree.stores[name], own),
  };
}

async function withRepository(share: Share, given: Given<string>): Promise<Share> {
  const known = share.repositories.map(({ name }) => name);
  if (isRepositoryName(given.value, known)) {
    return {
      ...share,
      repositories: share.repositories.filter(({ name }) => name === given.value),
      backup: { ...share.backup, to: undefined },
    };
  }
  const name = nameOfUrl(given.value) ?? "repository";
  const place = await parseStorageUrl(given.value);
  return {
    ...share,
    repositories: [{ name, place, password: undefined, retryLockMs: defaultRetryLockMs }],
    backup: { ...share.backup, to: undefined },
    values: [
      ...share.values.filter(({ path }) => path[0] !== "repositories"),
      { path: ["repositories", name, "storage"], value: given.value, origin: given.origin },
    ],
    masked: { ...share.masked, repositories: { [name]: { type: "restic", storage: given.value } } },
  };
}

function withStack(share: Share, stack: string, origin: Origin): Share {
  return {
    ...share,
    stack,
    values: [stackValue(stack, origin), ...share.values.filter(({ path }) => path[0] !== "stack")],
    masked: { ...share.masked, stack },
  };
}

function withCacheSize(share: Share, { value, origin }: Given<string>): Share {
  const path = ["cache", "size"];
  return {
    ...share,
    cacheBytes: checkSize(value, origin),
    values: [
      ...share.values.filter((known) => pathKey(known.path) !== pathKey(path)),
      { path, value, origin },
    ],
    masked: { ...share.masked, cache: { size: value } },
  };
}

function stackValue(value: string, origin: Origin): ResolvedValue {
  return { path: ["stack"], value, origin };
}

/** A password in a variable is put before those of the file. */
function withPassword(share: Share, variable: string | undefined): readonly ResolvedValue[] {
  if (variable === undefined) return share.values;
  const isPassword = /^password(File|Command)?$/;
  return [
    ...share.values.filter(({ path }) => path[0] !== "repositories" || !isPassword.test(String(path[2]))),
    ...share.repositories.map(({ name }): ResolvedValue => {
      const path = ["repositories", name, "password"];
      return { path, value: mask, origin: { kind: "variable", name: variable } };
    }),
  ];
}
