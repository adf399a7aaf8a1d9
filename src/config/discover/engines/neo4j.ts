/** A running Neo4j: Bolt's handshake names a version of the protocol before any password. */
import type { Environment } from "../../environment.ts";
import { addressOf, type FoundStore } from "../found.ts";
import { greet } from "./greeting.ts";

/** The magic of Bolt, then four proposals: 5.0 to 5.8, 4.4, and twice none. */
const handshake = Buffer.from("6060b01700080805000004040000000000000000", "hex");

export async function findNeo4j(port: number, environment: Environment): Promise<FoundStore | undefined> {
  const answer = await greet(port, handshake, (bytes) => bytes.length >= 4);
  if (answer?.length !== 4 || answer[0] !== 0 || answer[1] !== 0 || (answer[3] ?? 0) < 3) return undefined;
  const known = Boolean(environment["NEO4J_AUTH"]) || Boolean(environment["NEO4J_AUTH_FILE"]);
  return {
    name: "graph",
    kind: "neo4j",
    entry: { url: `neo4j://127.0.0.1:${port}`, auth: "${NEO4J_AUTH}" },
    where: `Neo4j is running on port ${port}`,
    address: addressOf("127.0.0.1", port),
    guessed: [],
    lacking: known ? undefined : "NEO4J_AUTH must be set, such as neo4j/password, or none",
  };
}
