/** What a Neo4j store can be told, and how a URL says it. Loads no client. */
import { z } from "zod";
import { MemkeepError } from "../../domain/errors.ts";
import { Duration } from "../../domain/settings.ts";

const Url = z
  .string()
  .regex(
    /^(neo4j|bolt)(\+s|\+ssc)?:\/\/[^@]*$/,
    "must be neo4j:// or bolt:// (+s, +ssc), without user and password",
  )
  .meta({
    description: "The server; +s for TLS, +ssc for a certificate that nobody signed.",
    examples: ["neo4j://127.0.0.1:7687", "neo4j+s://db.example.com"],
  });

const access = {
  url: Url,
  username: z
    .string()
    .min(1)
    .optional()
    .meta({ description: "Not part of the URL.", examples: ["backup"] }),
  password: z
    .string()
    .meta({ secret: true, description: "Belongs to username.", examples: ["${NEO4J_PASSWORD}"] })
    .optional(),
  auth: z
    .string()
    .regex(/^(none|[^/]+\/.+)$/s, "must be user/password, or none")
    .meta({
      secret: true,
      description: "In place of `username` and `password`: `user/password` as in NEO4J_AUTH, or `none`.",
      examples: ["${NEO4J_AUTH}"],
    })
    .optional(),
  database: z
    .string()
    .min(1)
    .optional()
    .meta({ description: "The user's home database when left out.", examples: ["neo4j"] }),
  caFile: z
    .string()
    .optional()
    .meta({
      path: true,
      description: "PEM file of an authority that the system does not know, for +s.",
      examples: ["./ca.pem"],
    }),
};

const Scratch = z.strictObject(access);

export const schema = z.strictObject({
  ...access,
  key: z.string().min(1).default("id").describe("The property that names a node for ever."),
  keys: z
    .record(z.string(), z.string().min(1))
    .default({})
    .meta({ description: "Label → property, where it is another one.", examples: [{ User: "email" }] }),
  scratch: Scratch.optional().meta({
    description:
      "A server with an empty database for drills: Community Edition has one database, which is the store itself.",
    examples: [{ url: "neo4j://127.0.0.1:7688" }],
  }),
  connections: z.number().int().min(1).max(16).default(2).describe("Connections that read at once."),
  timeout: Duration.prefault("5m").describe("After how long a query without an answer counts as failed."),
  retryFor: Duration.prefault("30s").describe("How long a query is tried again when a connection breaks."),
});
export type Neo4jConfig = z.infer<typeof schema>;
/** How one server is reached: the store's own, or the one for drills. */
export type Neo4jAccess = z.infer<typeof Scratch>;

/** `neo4j://user:password@host:7687/database`, also `bolt://`, `+s`, `+ssc`. `CONFIG_INVALID` for anything else. */
export function fromUrl(url: string): Neo4jConfig {
  return schema.parse(accessFromUrl(url));
}

export function accessFromUrl(url: string): Neo4jAccess {
  const parsed = URL.parse(url);
  if (!parsed || !/^(neo4j|bolt)(\+s|\+ssc)?:$/.test(parsed.protocol) || parsed.hostname === "") {
    throw new MemkeepError("CONFIG_INVALID", {
      tried: "read the store URL",
      happened: "it is not `neo4j://host:port/database`",
      next: "Write `neo4j://127.0.0.1:7687`; `neo4j+s://` for TLS, `neo4j+ssc://` for a certificate that nobody signed.",
    });
  }
  const database = decoded(parsed.pathname.slice(1));
  const username = decoded(parsed.username);
  const password = decoded(parsed.password);
  return {
    url: `${parsed.protocol}//${parsed.host}`,
    ...(database === "" ? {} : { database }),
    ...(username === "" ? {} : { username }),
    ...(password === "" ? {} : { password }),
  };
}

/** User and password, or undefined where the server asks for none. */
export function credentials({
  username,
  password,
  auth,
}: Neo4jAccess): { readonly username: string; readonly password: string } | undefined {
  if (auth === "none") return undefined;
  if (auth !== undefined) {
    const slash = auth.indexOf("/");
    return { username: auth.slice(0, slash), password: auth.slice(slash + 1) };
  }
  return password === undefined ? undefined : { username: username ?? "neo4j", password };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (cause) {
    throw new MemkeepError("CONFIG_INVALID", {
      tried: "read the store URL",
      happened: "it has a % that begins no escape",
      cause,
    });
  }
}
