/** A server between the adaptor and the real one, for tests: it passes everything on, and changes answers as it is told. */
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";

export interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly body: string;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers?: Record<string, string>;
}

/** Gives another answer; `pass` asks the real server. */
export type Tamper = (exchange: Exchange, pass: () => Promise<Answer>) => Promise<Answer>;

/** `url` is asked anew at each exchange, since a server that restarts has another. With `tls` it speaks HTTPS. */
export async function tamperWith(
  url: string | (() => string),
  tamper: Tamper,
  tls?: { readonly key: string; readonly cert: string },
): Promise<{ url: string } & AsyncDisposable> {
  function take(request: IncomingMessage, response: ServerResponse): void {
    async function answer(): Promise<Answer> {
      const parts: Buffer[] = [];
      for await (const part of request) parts.push(part as Buffer);
      const body = Buffer.concat(parts).toString();
      const { method = "GET", url: path = "/" } = request;
      return await tamper({ method, path, body }, async () => {
        const headers: Record<string, string> = { "content-type": "application/json" };
        const key = request.headers["api-key"];
        if (typeof key === "string") headers["api-key"] = key;
        const passed = await fetch((typeof url === "string" ? url : url()) + path, {
          method,
          headers,
          ...(body === "" ? {} : { body }),
        });
        return { status: passed.status, text: await passed.text() };
      });
    }
    answer().then(
      ({ status, text, headers }) => response.writeHead(status, headers).end(text),
      () => response.destroy(),
    );
  }
  const server = tls ? createTlsServer(tls, take) : createServer(take);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls ? "https" : "http"}://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
