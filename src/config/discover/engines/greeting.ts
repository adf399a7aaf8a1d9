/** Says one thing to a port of this machine and listens to the answer: enough to know who serves there, and no more. */
import { connect } from "node:net";

/** A server of this machine answers within some milliseconds; a busy one may need longer. */
export const greetingMs = 700;
const mostBytes = 64 * 1024;

/**
 * What the server on that loopback port answered: as soon as `enough` says so, at the end of the connection, or after
 * `greetingMs`. Undefined where nobody listens, or nobody answers. Never rejects.
 */
export function greet(
  port: number,
  words: Uint8Array,
  enough: (answer: Buffer) => boolean,
): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" });
    const parts: Buffer[] = [];
    const timer = setTimeout(() => socket.destroy(), greetingMs);
    socket.on("connect", () => socket.write(words));
    socket.on("data", (part: Buffer) => {
      parts.push(part);
      const answer = Buffer.concat(parts);
      if (answer.length > mostBytes || enough(answer)) socket.destroy();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(parts.length === 0 ? undefined : Buffer.concat(parts));
    });
  });
}

/** Whether anybody takes a connection on that loopback port. */
export function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1", timeout: greetingMs });
    const end = (listens: boolean) => () => {
      socket.destroy();
      resolve(listens);
    };
    socket.on("connect", end(true));
    socket.on("error", end(false));
    socket.on("timeout", end(false));
  });
}
