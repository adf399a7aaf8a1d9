/** A running FalkorDB, which speaks the protocol of Redis: its graphs, or that it is a Redis without any. */
import { addressOf, type FoundStore, literal } from "../found.ts";
import { greet } from "./greeting.ts";

const words = Buffer.from("*1\r\n$4\r\nPING\r\n*1\r\n$10\r\nGRAPH.LIST\r\n");

/** A sentence where there is a server that cannot be used. */
export async function findFalkorDB(port: number): Promise<FoundStore | string | undefined> {
  const answer = (await greet(port, words, isWhole))?.toString("utf8");
  if (answer === undefined || !/^(\+PONG|-NOAUTH|-DENIED)/.test(answer)) return undefined;
  const [, ...rest] = answer.split("\r\n");
  const list = rest.join("\r\n");
  const server = { name: "graph", kind: "falkordb", address: addressOf("127.0.0.1", port), guessed: [] };
  if (answer.startsWith("-")) {
    return {
      ...server,
      entry: {
        url: `redis://127.0.0.1:${port}`,
        password: "${FALKORDB_PASSWORD}",
        graph: "${FALKORDB_GRAPH:-memories}",
      },
      where: `FalkorDB or Redis is running on port ${port}`,
      guessed: ["graph"],
      lacking: "it asks for a password: FALKORDB_PASSWORD, and FALKORDB_GRAPH, must be set",
    };
  }
  if (list.startsWith("-"))
    return `On port ${port} a Redis is running, without FalkorDB: it holds no graphs.`;
  const graphs = graphsOf(list);
  if (graphs.length === 0) return `On port ${port} a FalkorDB is running, which holds no graph yet.`;
  return {
    ...server,
    entry: { url: `redis://127.0.0.1:${port}`, graphs: graphs.map(literal) },
    where: `FalkorDB is running on port ${port}, with ${graphs.join(", ")}`,
    lacking: undefined,
  };
}

/** Both answers have come: one line, and a line or an array. */
function isWhole(answer: Buffer): boolean {
  const lines = answer.toString("utf8").split("\r\n");
  if (lines.length < 3) return false;
  const count = /^\*(\d+)$/.exec(lines[1]!)?.[1];
  // A name of a graph may hold a line break; then the wait is the full one.
  return count === undefined || lines.length >= 3 + 2 * Number(count);
}

/** `*2\r\n$1\r\na\r\n$2\r\nbc\r\n`, by lengths: a name may hold anything. */
function graphsOf(list: string): string[] {
  const bytes = Buffer.from(list);
  const graphs: string[] = [];
  let at = bytes.indexOf("\r\n") + 2;
  while (at > 1 && bytes[at] === 0x24) {
    const end = bytes.indexOf("\r\n", at);
    const length = Number(bytes.toString("latin1", at + 1, end));
    if (end < 0 || !Number.isInteger(length) || end + 2 + length > bytes.length) break;
    graphs.push(bytes.toString("utf8", end + 2, end + 2 + length));
    at = end + 2 + length + 2;
  }
  return graphs;
}
