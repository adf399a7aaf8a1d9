/** What a FalkorDB store can be told, and how a URL says it. Loads no client. */
import { z } from "zod";
import { MemkeepError } from "../../domain/errors.ts";
import { Duration } from "../../domain/settings.ts";

export const schema = z
  .strictObject({
    url: z
      .string()
      .regex(/^rediss?:\/\//, "must begin with redis:// or rediss://")
      .meta({
        description: "The server; rediss:// for TLS. User and password may be part of it.",
        examples: ["redis://localhost:6379"],
      }),
    username: z
      .string()
      .optional()
      .meta({ description: "An ACL user.", examples: ["backup"] }),
    password: z
      .string()
      .optional()
      .meta({
        secret: true,
        description: "Of the server, or of the ACL user.",
        examples: ["${FALKORDB_PASSWORD}"],
      }),
    graph: z
      .string()
      .min(1)
      .optional()
      .meta({ description: "The graph.", examples: ["memories"] }),
    graphs: z
      .array(z.string().min(1))
      .min(1)
      .optional()
      .meta({
        description: "In place of `graph`: several, which are then one recovery point.",
        examples: [["memories", "people"]],
      }),
    key: z.string().min(1).default("id").describe("The property that names a node for ever."),
    keys: z
      .record(z.string(), z.string().min(1))
      .default({})
      .meta({
        description: "Label → property, where it is another one.",
        examples: [{ Session: "session_id" }],
      }),
    view: z
      .enum(["live", "copy"])
      .default("live")
      .describe(
        "live: the graph is read as it lives, and watched; where nobody wrote meanwhile it is one instant. copy: it is copied on the server (GRAPH.COPY) and the copy is read. Only where nobody writes at that moment: FalkorDB 4.16 can then stop answering for good.",
      ),
    connections: z.number().int().min(1).max(16).default(4).describe("Connections that read at once."),
    timeout: Duration.prefault("5m").describe(
      "How long without a byte from the server until a connection counts as dead.",
    ),
    retryFor: Duration.prefault("30s").describe(
      "How long what only reads is tried again when a connection breaks.",
    ),
    caFile: z
      .string()
      .optional()
      .meta({
        path: true,
        description: "PEM file of an authority for rediss://, where the system's do not know it.",
        examples: ["./ca.pem"],
      }),
  })
  .refine(({ graph, graphs }) => (graph === undefined) !== (graphs === undefined), {
    message: "needs either `graph` or `graphs`",
  });
export type FalkorDBConfig = z.infer<typeof schema>;

/** `falkordb://user:password@host:6379/graph`; `falkordbs://` for TLS. `CONFIG_INVALID` for anything else. */
export function fromUrl(url: string): FalkorDBConfig {
  const parsed = URL.parse(url);
  const scheme =
    parsed?.protocol === "falkordb:" ? "redis" : parsed?.protocol === "falkordbs:" ? "rediss" : "";
  const graph = parsed && parsed.pathname.length > 1 ? decoded(parsed.pathname.slice(1)) : undefined;
  if (!parsed || scheme === "" || parsed.hostname === "" || graph === undefined) {
    throw new MemkeepError("CONFIG_INVALID", {
      tried: "read the store URL",
      happened: "it is not `falkordb://host:port/graph`",
      next: "Write `falkordb://127.0.0.1:6379/memories`; `falkordbs://` for TLS.",
    });
  }
  return schema.parse({
    url: `${scheme}://${parsed.host}`,
    graph,
    ...(parsed.username === "" ? {} : { username: decoded(parsed.username) }),
    ...(parsed.password === "" ? {} : { password: decoded(parsed.password) }),
  });
}

/** The names of the graphs, in a fixed order. */
export function graphNames({ graph, graphs }: FalkorDBConfig): readonly string[] {
  return graphs ? [...new Set(graphs)].sort() : [graph!];
}

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}
