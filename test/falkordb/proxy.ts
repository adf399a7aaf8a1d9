/** A proxy in front of a server that makes a network's faults happen at exact places. */
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { once } from "node:events";

/** What becomes of bytes that a client sends: they pass; they never arrive; they arrive, and the answer never comes back. */
export type Fate = "pass" | "lost" | "unanswered";

export interface Faults {
  /** Bytes from the server after which a connection is reset: the first number for the first connection, and so on. */
  readonly cuts?: number[];
  readonly request?: (bytes: Buffer) => Fate | Promise<Fate>;
}

export class Proxy implements AsyncDisposable {
  readonly url: string;
  /** Connections that were reset. */
  resets = 0;
  readonly #close: () => Promise<void>;

  private constructor(port: number, close: () => Promise<void>) {
    this.url = `redis://127.0.0.1:${port}`;
    this.#close = close;
  }

  static async start(serverUrl: string, { cuts = [], request = (): Fate => "pass" }: Faults): Promise<Proxy> {
    const { port } = new URL(serverUrl);
    const sockets = new Set<Socket>();
    const server = createServer((client) => {
      const upstream = connect(Number(port), "127.0.0.1");
      let left = cuts.shift() ?? Infinity;
      let isMute = false;
      const reset = (): void => {
        if (!client.destroyed) proxy.resets++;
        client.resetAndDestroy();
        upstream.destroy();
      };
      upstream.on("data", (bytes: Buffer) => {
        left -= bytes.length;
        if (!isMute) client.write(left > 0 ? bytes : bytes.subarray(0, Math.max(0, bytes.length + left)));
        if (isMute || left <= 0) reset();
      });
      const forward = async (): Promise<void> => {
        for await (const bytes of client as AsyncIterable<Buffer>) {
          const fate = await request(bytes);
          if (fate === "lost") return reset();
          isMute = fate === "unanswered";
          upstream.write(bytes);
        }
        upstream.end();
      };
      forward().catch(() => upstream.destroy());
      for (const socket of [client, upstream]) {
        sockets.add(socket);
        socket.on("error", () => undefined).on("close", () => sockets.delete(socket));
      }
      client.on("close", () => upstream.destroy());
      upstream.on("close", () => client.destroy());
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const proxy: Proxy = new Proxy((server.address() as AddressInfo).port, async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, "close");
    });
    return proxy;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close();
  }
}
