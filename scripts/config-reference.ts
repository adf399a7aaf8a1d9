/**
 * `npm run build:reference`: writes the tables of `docs/configuration.md` from the schemas that check a configuration. A
 * test compares, so that the page never tells of a key that is not there.
 */
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { knownStorageKinds, knownStoreKinds, storageSchemas, storeSchemas } from "../src/config/kinds.ts";
import { composeShape, type Shape } from "../src/config/shape.ts";

export const referenceFile: URL = new URL("../docs/configuration.md", import.meta.url);

/** What stands above this line is written by people. */
const marker = "<!-- Below: made by `npm run build:reference`. Do not edit. -->";

export interface ReferenceKey {
  /** `backup.keep.daily`, `stores.<name>.timeout`. */
  readonly path: string;
  readonly shape: Shape;
  readonly required: boolean;
}

interface Section {
  readonly title: string;
  readonly path: string;
  readonly shape: Shape;
  /** Keys that another section tells of. */
  readonly without: readonly string[];
}

/** The page as it should be: the present text above the marker, and the tables. */
export async function referenceText(): Promise<string> {
  const page = await readFile(referenceFile, "utf8");
  const above = page.slice(0, page.indexOf(marker) + marker.length);
  const tables = (await sections()).map(
    (section) =>
      `## ${section.title}\n\n| key | what it means | for example | if absent |\n|---|---|---|---|\n${rows(section).join("\n")}`,
  );
  return `${above}\n\n${tables.join("\n\n")}\n`;
}

/** Every key of every section. */
export async function referenceKeys(): Promise<ReferenceKey[]> {
  return (await sections()).flatMap(keysOf);
}

async function sections(): Promise<Section[]> {
  const stores = await storeSchemas(knownStoreKinds);
  const storages = await storageSchemas(knownStorageKinds);
  const root = composeShape(stores, storages);
  const backup = root.properties!["backup"]!;
  const store = (root.properties!["stores"]!.additionalProperties as Shape).anyOf!;
  const repository = root.properties!["repositories"]!.additionalProperties as Shape;
  const storage = repository.properties!["storage"]!.anyOf!.filter(({ properties }) => properties);
  const named = (shape: Shape): string => String(shape.properties!["type"]!.const);
  const common = ["type", "optional"];
  return [
    { title: "The file", path: "", shape: root, without: [] },
    { title: "`backup`", path: "backup.", shape: backup, without: [] },
    { title: "`backup.keep`", path: "backup.keep.", shape: backup.properties!["keep"]!, without: [] },
    { title: "`cache`", path: "cache.", shape: root.properties!["cache"]!, without: [] },
    { title: "`repositories.<name>`", path: "repositories.<name>.", shape: repository, without: [] },
    ...storage.map((shape) => ({
      title: `\`repositories.<name>.storage\` with \`type: ${named(shape)}\``,
      path: "repositories.<name>.storage.",
      shape,
      without: ["type"],
    })),
    {
      title: "`stores.<name>`",
      path: "stores.<name>.",
      shape: { properties: storeKeys(store[0]!, store.map(named)), required: ["type"] },
      without: [],
    },
    ...store.map((shape) => ({
      title: `\`stores.<name>\` with \`type: ${named(shape)}\``,
      path: "stores.<name>.",
      shape,
      without: common,
    })),
  ];
}

/** What every kind of store has. */
function storeKeys(shape: Shape, kinds: readonly string[]): Record<string, Shape> {
  return {
    type: { enum: kinds, description: "The kind of store." },
    optional: shape.properties!["optional"]!,
  };
}

function keysOf({ shape, path, without }: Section): ReferenceKey[] {
  return Object.entries(shape.properties ?? {})
    .filter(([key]) => !without.includes(key) && !isFormOfSecret(key, shape))
    .map(([key, property]) => ({
      path: `${path}${key}`,
      shape: property,
      required: shape.required?.includes(key) === true && property.default === undefined,
    }));
}

/** `passwordFile` and `passwordCommand` are told of once, for all secrets. */
function isFormOfSecret(key: string, { properties }: Shape): boolean {
  const secret = /^(.+)(?:File|Command)$/.exec(key)?.[1];
  return secret !== undefined && properties?.[secret]?.secret === true;
}

function rows(section: Section): string[] {
  return keysOf(section).map(({ path, shape, required }) => {
    const key = path.split(".").at(-1);
    const example = exampleOf(shape);
    const shown = example === undefined ? "" : code(`${key}: ${inline(example)}`);
    const absent = required ? "**needed**" : shape.default === undefined ? "" : code(inline(shape.default));
    return `| \`${key}\` | ${cell(shape.description ?? "")} | ${shown} | ${absent} |`;
  });
}

const flow = { collectionStyle: "flow", lineWidth: 0, flowCollectionPadding: true } as const;

/** A value that may be written: the first example, or what holds when the key is absent, or the first of the choices. */
export function exampleOf(shape: Shape): unknown {
  return shape.examples?.[0] ?? shape.default ?? shape.const ?? shape.enum?.[0];
}

function inline(value: unknown): string {
  return stringify(value, flow).trim();
}

function code(text: string): string {
  return `\`${text.replaceAll("|", "\\|")}\``;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll(/\s+/g, " ");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await writeFile(referenceFile, await referenceText());
}
