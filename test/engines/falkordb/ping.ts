import { once } from "node:events";
import { connect } from "node:net";

/**
 * Resolves when the Redis server on this loopback port serves commands: not while it is down, and not while it still
 * loads its data.
 */
export async function ping(port: number, password: string | undefined): Promise<void> {
  const socket = connect(port, "127.0.0.1").setEncoding("utf8");
  try {
    await once(socket, "connect");
    const commands = [...(password === undefined ? [] : [["AUTH", password]]), ["PING"], ["QUIT"]];
    socket.write(commands.map(encoded).join(""));
    let answer = "";
    for await (const part of socket) answer += String(part);
    if (!answer.includes("+PONG")) throw new Error(`redis-server says: ${answer}`);
  } finally {
    socket.destroy();
  }
}

function encoded(command: readonly string[]): string {
  const words = command.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
  return `*${command.length}\r\n${words.join("")}`;
}
