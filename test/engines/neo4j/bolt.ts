import { once } from "node:events";
import { connect } from "node:net";

/**
 * The name and version that a Neo4j server on this loopback port gives itself (`Neo4j/5.26.19`): one HELLO of Bolt 4.4, the last
 * version whose HELLO carries the credentials. Rejects while the server is not up, and when it refuses the password.
 */
export async function askVersion(port: number, password: string | undefined): Promise<string> {
  const credentials =
    password === undefined
      ? { scheme: "none" }
      : { scheme: "basic", principal: "neo4j", credentials: password };
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    // The magic of Bolt, then four proposals: 4.4 and three times none.
    socket.write(Buffer.from("6060b01700000404000000000000000000000000", "hex"));
    socket.write(message(0x01, { user_agent: "memkeep-test/1", ...credentials }));
    let answer = "";
    for await (const part of socket) {
      answer += (part as Buffer).toString("latin1");
      const version = /Neo4j\/[\d.]+/.exec(answer)?.[0];
      if (version) return version;
      if (answer.includes("Neo.ClientError")) break;
    }
    throw new Error(`the server on Bolt says: ${answer.replaceAll(/[^ -~]+/g, " ")}`);
  } finally {
    socket.destroy();
  }
}

/** One chunked message of PackStream: a structure with one field, a map of strings. */
function message(tag: number, fields: Readonly<Record<string, string>>): Buffer {
  const entries = Object.entries(fields).flatMap(([name, value]) => [text(name), text(value)]);
  const body = Buffer.concat([Buffer.of(0xb1, tag, 0xa0 + entries.length / 2), ...entries]);
  return Buffer.concat([Buffer.of(body.length >> 8, body.length & 0xff), body, Buffer.of(0, 0)]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.of(0xd0, bytes.length), bytes]);
}
