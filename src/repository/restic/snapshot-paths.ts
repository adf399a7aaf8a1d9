/**
 * How memkeep's snapshots look to stock restic. The path is the stack's name, always the same, because `forget` groups by
 * host and path and removes nothing when they change; `restic restore latest --path /<stack>` finds the newest.
 * Safety snapshots have a path of their own, so that no `latest` and no keep rule of the stack ever meets them.
 */

export const safetyTag = "memkeep-safety";
const safetyFolder = "memkeep-safety";

/**
 * One host name for all machines: the stack is the same wherever its backup runs, and a container has another name
 * after each start. The real host stands in the manifest.
 */
export const snapshotHost = "memkeep";

const stackTagPrefix = "stack:";
const storeTagPrefix = "store:";
const runTagPrefix = "run:";

export function snapshotPath(stack: string, safety: boolean): string {
  return safety ? `/${safetyFolder}/${stack}` : `/${stack}`;
}

export function snapshotTags(
  stack: string,
  run: string,
  stores: readonly string[],
  tags: readonly string[],
  safety: string | undefined,
): string[] {
  return [
    "memkeep",
    `${stackTagPrefix}${stack}`,
    runTagPrefix + run,
    ...stores.map((store) => storeTagPrefix + store),
    ...(safety === undefined ? [] : [safetyTag, `before:${safety}`]),
    ...tags,
  ];
}

export function stackOf(tags: readonly string[]): string | undefined {
  return tags.find((tag) => tag.startsWith(stackTagPrefix))?.slice(stackTagPrefix.length);
}

export function runOf(tags: readonly string[]): string | undefined {
  return tags.find((tag) => tag.startsWith(runTagPrefix))?.slice(runTagPrefix.length);
}

export function storesOf(tags: readonly string[]): string[] {
  return tags.filter((tag) => tag.startsWith(storeTagPrefix)).map((tag) => tag.slice(storeTagPrefix.length));
}
