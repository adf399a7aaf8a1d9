/** A proxy in front of a server that makes a network's faults happen at exact places. */
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { once } from "node:events";

/**
 * What becomes of bytes that a client sends: they pass; they never arrive; they arrive, and the answer never comes back; they
 * arrive when `deliverLate` is called, long after the connection has broken; or somebody else answers.
 */
export type Fate = "pass" | "lost" | "unanswered" | "late" | { readonly answer: string };

export interface Faults {
  /** Bytes from the server after which a connection is reset: the first number for the first connection, and so on. */
  readonly cuts?: number[];
  readonly request?: (bytes: Buffer) => Fate | Promise<Fate>;
}

export class Proxy implements AsyncDisposable {
  readonly url: string;
  /** Connections that were reset. */
  resets = 0;
  readonly #late: (() => Promise<void>)[] = [];
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
      const end = (): void => void upstream.destroy();
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
          if (typeof fate === "object") {
            client.write(fate.answer);
            continue;
          }
          if (fate === "late") {
            client.off("close", end).resetAndDestroy();
            proxy.#late.push(async () => {
              upstream.write(bytes);
              await once(upstream, "data");
              upstream.destroy();
            });
            return;
          }
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
      client.on("close", end);
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

  /** Now arrives what was late. Resolves when the server has answered it. */
  async deliverLate(): Promise<number> {
    for (const deliver of this.#late) await deliver();
    return this.#late.length;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close();
  }
}
