/**
 * Connections for large answers. Node makes two buffers for every 64 KiB that a connection receives: one to read into, one as the
 * part of the answer's body. Here all reads of a connection go into one buffer of its own, which the HTTP parser copies from before
 * it returns: less than half of the collections, and memory that does not wait for one (law 11).
 */
import type { Duplex } from "node:stream";
import { Agent as HttpAgent, type AgentOptions } from "node:http";
import { Agent as HttpsAgent } from "node:https";

const readBytes = 256 * 1024;

type Made = (failure: Error | null, connection: Duplex) => void;

/** The options with a reader that hands on what it read. Documented as `onread` of `net.Socket`; TLS takes it too. */
function reading<Options extends object>(
  options: Options,
): { options: Options; handTo: (connection: Duplex) => void } {
  let connection: Duplex | undefined;
  const onread = {
    buffer: Buffer.allocUnsafeSlow(readBytes),
    callback(length: number, bytes: Buffer): boolean {
      connection?.emit("data", bytes.subarray(0, length));
      return true;
    },
  };
  return { options: { ...options, onread }, handTo: (made) => void (connection = made) };
}

export class ReadingHttpAgent extends HttpAgent {
  override createConnection(options: AgentOptions, made: Made): Duplex | null | undefined {
    const { options: withReader, handTo } = reading(options);
    const connection = super.createConnection(withReader, made);
    if (connection) handTo(connection);
    return connection;
  }
}

export class ReadingHttpsAgent extends HttpsAgent {
  override createConnection(options: AgentOptions, made: Made): Duplex | null | undefined {
    const { options: withReader, handTo } = reading(options);
    const connection = super.createConnection(withReader, made);
    if (connection) handTo(connection);
    return connection;
  }
}
