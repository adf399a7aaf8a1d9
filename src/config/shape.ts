/**
 * The shape of a configuration as a JSON Schema: made of the sections and of the adaptors' own schemas. Editors read it,
 * and so does memkeep: which keys exist, which are secret, which are paths.
 */
import { z } from "zod";
import type { ConfigPath } from "./origin.ts";
import { RepositorySection, RootSection, StoreSection } from "./sections.ts";

export interface Shape {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly description?: string;
  /** Values that may be written, for people and editors. */
  readonly examples?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Shape;
  readonly items?: Shape;
  readonly anyOf?: readonly Shape[];
  /** memkeep's own: the value must not be seen. */
  readonly secret?: boolean;
  /** memkeep's own: a path of this machine, relative to the configuration file. */
  readonly path?: boolean;
}

export interface KindSchema {
  readonly kind: string;
  readonly schema: z.ZodType;
}

export interface RootShape extends Shape {
  readonly $schema: string;
}

/** Put together from the kinds given: those in use, or all for an editor. */
export function composeShape(stores: readonly KindSchema[], storages: readonly KindSchema[]): RootShape {
  const root = shapeOf(RootSection);
  const repository = shapeOf(RepositorySection);
  const storage: Shape = {
    description: "A path, or a URL such as s3:https://host/bucket/prefix; or an object with `type:`.",
    examples: ["./backups"],
    anyOf: [
      { type: "string" },
      ...storages.map((kind) => withType(kind, { type: "object", properties: { type: { type: "string" } } })),
    ],
  };
  return {
    ...root,
    $schema: "http://json-schema.org/draft-07/schema#",
    properties: {
      ...root.properties,
      stores: named(root, "stores", { anyOf: stores.map((kind) => withType(kind, shapeOf(StoreSection))) }),
      repositories: named(root, "repositories", {
        ...repository,
        properties: { ...repository.properties, storage },
      }),
    },
  };
}

/** The keys of one kind, its `type:` and the keys that all kinds have; a secret may also come from a file or a command. */
function withType({ kind, schema }: KindSchema, common: Shape): Shape {
  const own = shapeOf(schema);
  const secrets = Object.entries(own.properties ?? {}).filter(([, { secret }]) => secret === true);
  return {
    ...own,
    properties: {
      type: { const: kind },
      ...Object.fromEntries(Object.entries(common.properties ?? {}).filter(([key]) => key !== "type")),
      ...own.properties,
      ...Object.fromEntries(secrets.flatMap(([key, { description }]) => secretForms(key, description))),
    },
    required: ["type", ...(own.required ?? []).filter((key) => !secrets.some(([secret]) => secret === key))],
  };
}

function secretForms(key: string, description: string | undefined): [string, Shape][] {
  const what = description === undefined ? key : `${key} (${description})`;
  return [
    [`${key}File`, { type: "string", path: true, description: `A file that holds: ${what}` }],
    [
      `${key}Command`,
      {
        type: "array",
        items: { type: "string" },
        description: `A program, and its arguments, that prints: ${what}`,
      },
    ],
  ];
}

function named(root: Shape, section: string, item: Shape): Shape {
  return { ...root.properties?.[section], additionalProperties: item };
}

function shapeOf(schema: z.ZodType): Shape {
  const { $schema: _dialect, ...shape } = z.toJSONSchema(schema, {
    target: "draft-7",
    io: "input",
    unrepresentable: "any",
    // Of a value with a unit, zod would leave out the examples: it takes them for those of what it is parsed to.
    override({ zodSchema, jsonSchema }) {
      const examples = z.globalRegistry.get(zodSchema)?.["examples"];
      if (Array.isArray(examples)) jsonSchema.examples = examples;
    },
  });
  return shape as Shape;
}

/** The shape of the value at a path; undefined where the shape does not reach. `value` chooses between alternatives. */
export function shapeAt(root: Shape, value: unknown, path: ConfigPath): Shape | undefined {
  let shape: Shape | undefined = choose(root, value);
  let at = value;
  for (const step of path) {
    at = childOf(at, step);
    shape = shape && childShape(shape, step);
    shape = shape && choose(shape, at);
  }
  return shape;
}

/** The alternative that the value means, by its `type:` where it is an object. */
export function choose(shape: Shape, value: unknown): Shape {
  if (!shape.anyOf) return shape;
  const isObject = value !== null && typeof value === "object" && !Array.isArray(value);
  const type = isObject ? childOf(value, "type") : undefined;
  const found = shape.anyOf.find((option) =>
    isObject ? option.properties?.["type"]?.const === type : option.type === typeof value,
  );
  return found ?? shape;
}

export function childShape(shape: Shape, step: string | number): Shape | undefined {
  if (typeof step === "number") return shape.items;
  if (shape.properties && Object.hasOwn(shape.properties, step)) return shape.properties[step];
  return typeof shape.additionalProperties === "object" ? shape.additionalProperties : undefined;
}

function childOf(value: unknown, step: string | number): unknown {
  if (value === null || typeof value !== "object" || !Object.hasOwn(value, step)) return undefined;
  return (value as Record<string | number, unknown>)[step];
}
