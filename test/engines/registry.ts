import { falkordb } from "./falkordb/index.ts";
import { faketimeLibrary } from "./faketime/index.ts";
import { fishShell } from "./fish/index.ts";
import { langgraphPostgresPython, langgraphPython } from "./langgraph/index.ts";
import { neo4j } from "./neo4j/index.ts";
import { postgres } from "./postgres/index.ts";
import { qdrant } from "./qdrant/index.ts";
import { resticBinary } from "./restic/index.ts";
import { sqliteShell } from "./sqlite3/index.ts";
import { toxiproxy } from "./toxiproxy/index.ts";
import { versitygw } from "./versitygw/index.ts";
import { zshShell } from "./zsh/index.ts";

export type ProgramName =
  | "restic-0.14.0"
  | "restic-0.18.0"
  | "restic-unstable"
  | "sqlite3"
  | "langgraph"
  | "langgraph-postgres"
  | "fish"
  | "zsh"
  | "libfaketime";

/** Programs that tests run to their end: name → the path of the executable, installed on the first call. */
export const programs: Record<ProgramName, () => Promise<string>> = {
  "restic-0.14.0": () => resticBinary("0.14.0"),
  "restic-0.18.0": () => resticBinary("0.18.0"),
  "restic-unstable": () => resticBinary("unstable"),
  sqlite3: sqliteShell,
  langgraph: langgraphPython,
  "langgraph-postgres": langgraphPostgresPython,
  fish: fishShell,
  zsh: zshShell,
  libfaketime: faketimeLibrary,
};

/** Servers by name. */
export interface Servers {
  readonly "postgres-15": ReturnType<typeof postgres>;
  readonly "postgres-16": ReturnType<typeof postgres>;
  readonly "postgres-18": ReturnType<typeof postgres>;
  readonly falkordb: typeof falkordb;
  readonly neo4j: typeof neo4j;
  /** The qdrant-edge front, not a Qdrant server. */
  readonly qdrant: typeof qdrant;
  readonly toxiproxy: typeof toxiproxy;
  readonly versitygw: typeof versitygw;
}

export const servers: Servers = {
  "postgres-15": postgres(15),
  "postgres-16": postgres(16),
  "postgres-18": postgres(18),
  falkordb,
  neo4j,
  qdrant,
  toxiproxy,
  versitygw,
};
