/** A running PostgreSQL: asked whether it does TLS, it answers with one letter, before any password. */
import { addressOf, type FoundStore } from "../found.ts";
import type { Environment } from "../../environment.ts";
import { greet } from "./greeting.ts";

/** SSLRequest of the protocol: its length, and the code 80877103. */
const sslRequest = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);

/** Its databases are asked for only with a password, so the usual one is proposed. */
export async function findPostgres(port: number, environment: Environment): Promise<FoundStore | undefined> {
  const answer = await greet(port, sslRequest, (bytes) => bytes.length >= 1);
  if (answer?.length !== 1 || !["S", "N"].includes(answer.toString("latin1"))) return undefined;
  const database = environment["PGDATABASE"] || "postgres";
  const known = Boolean(environment["PGPASSWORD"]) || Boolean(environment["PGPASSFILE"]);
  return {
    name: "database",
    kind: "postgres",
    entry: {
      url: `postgresql://\${PGUSER:-postgres}@127.0.0.1:${port}/\${PGDATABASE:-postgres}`,
      ...(environment["PGPASSWORD"] ? { password: "${PGPASSWORD}" } : {}),
    },
    where: `PostgreSQL is running on port ${port}`,
    address: addressOf("127.0.0.1", port, database),
    guessed: [],
    lacking: known ? undefined : "PGUSER, PGPASSWORD and PGDATABASE may have to be set",
  };
}
