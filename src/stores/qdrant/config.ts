/** What a Qdrant store can be told, and how a URL says it. Loads no client code. */
import { z } from "zod";
import { MemkeepError } from "../../domain/errors.ts";
import { Duration } from "../../domain/settings.ts";

export const schema = z.strictObject({
  url: z
    .url({ protocol: /^https?$/ })
    .refine((url) => !/[?#]/.test(url) && new URL(url).username === "", "write it without user, `?` and `#`")
    .meta({
      description: "Where the REST interface is; a path in front of the interface is kept.",
      examples: ["http://localhost:6333"],
    }),
  apiKey: z
    .string()
    .min(1)
    .optional()
    .meta({
      secret: true,
      description: "Backups need only the read-only key.",
      examples: ["${QDRANT_API_KEY}"],
    }),
  caFile: z
    .string()
    .min(1)
    .optional()
    .meta({
      path: true,
      description: "A file with certificates (PEM) that are trusted beside the system's.",
      examples: ["./ca.pem"],
    }),
  collections: z
    .array(
      z
        .string()
        .min(1)
        .max(255)
        .refine((name) => name.isWellFormed(), "a name has half of a surrogate pair"),
    )
    .min(1)
    .optional()
    .meta({
      description:
        "Names of collections or aliases; all collections when left out. What the application calls an alias is named here, so that a restore moves the alias.",
      examples: [["memories"]],
    }),
  prefix: z
    .string()
    .max(100)
    .regex(/^[^/"\p{Cs}]*$/u)
    .default("")
    .meta({
      description:
        "Only collections whose names begin so belong to the store, and are named without it: several stacks on one server.",
      examples: ["team-a-"],
    }),
  connections: z.number().int().min(1).max(32).default(4).describe("Requests at once."),
  timeout: Duration.prefault("60s").describe("How long one request may take."),
  retryFor: Duration.prefault("30s").describe(
    "How long a request that failed on the way is tried again. A server that asks for a pause is given it on top.",
  ),
  maxRechecks: z
    .number()
    .int()
    .min(1)
    .max(100)
    .default(5)
    .describe("How often the ids are read again to find what moved while the points were read."),
  optimizerWait: Duration.prefault("1h").describe(
    "How long to wait for the server's optimisers: for deferred points before a dump, for green after a restore.",
  ),
  acceptInfinite: z
    .boolean()
    .default(false)
    .describe(
      "Leave out vectors with an infinite element, which the REST interface prints as `null`; the manifest names their points. Otherwise they fail the snapshot.",
    ),
  allowEmpty: z
    .boolean()
    .default(false)
    .describe("Accept a server without a collection; otherwise it is refused as empty."),
});
export type QdrantConfig = z.infer<typeof schema>;
/** As people write it, with units. */
export type QdrantSettings = z.input<typeof schema>;

/**
 * `qdrant://host:6333`, `qdrant://host:6333/collection`, `qdrants://…` for TLS; `?prefix=…` as the setting. Names are
 * percent-encoded. `CONFIG_INVALID` for anything else; a key belongs into the configuration, not into a URL.
 */
export function fromUrl(url: string): QdrantConfig {
  const match =
    /^(?<scheme>qdrants?):\/\/(?<host>[^/?#@]+)(?:\/(?<collection>[^/?#]*))?(?:\?(?<query>[^#]*))?$/.exec(
      url,
    );
  const { scheme, host, collection, query } = match?.groups ?? {};
  const parameters = new URLSearchParams(query ?? "");
  const unknown = [...parameters.keys()].some((name) => name !== "prefix");
  if (host === undefined || unknown) throw invalid("it is not `qdrant://host:port/collection`");
  const parsed = schema.safeParse({
    url: `${scheme === "qdrants" ? "https" : "http"}://${host}`,
    ...(collection ? { collections: [decoded(collection)] } : {}),
    ...(parameters.has("prefix") ? { prefix: parameters.get("prefix") } : {}),
  });
  if (!parsed.success) throw invalid(z.prettifyError(parsed.error));
  return parsed.data;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid("a name in it is not percent-encoded");
  }
}

function invalid(happened: string): MemkeepError {
  return new MemkeepError("CONFIG_INVALID", {
    tried: "read the store URL",
    happened,
    next: "Write `qdrant://host:6333`, or `qdrants://host:6333/collection` for TLS. The API key belongs into a configuration file: `apiKey: ${QDRANT_API_KEY}`.",
  });
}
