/**
 * The REST interface over kept-alive connections. Bodies are bytes both ways: every JSON reader and writer at hand rounds
 * ids above 2^53 and turns `1.0` into `1`, which the server reads as something else (readme.md, "Numbers").
 */
import { readFileSync } from "node:fs";
import { Agent as HttpAgent, request as httpRequest } from "node:http";
import type { IncomingMessage, RequestOptions } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { rootCertificates } from "node:tls";
import { MemkeepError, reasonOf } from "../../domain/errors.ts";
import { retry } from "../../util/retry/retry.ts";
import type { StoreContext } from "../store.ts";
import type { QdrantConfig } from "./config.ts";
import { Refusal, errorText, failure, pauseOf } from "./failure.ts";

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
export type Body = string | Uint8Array;

interface Answer {
  readonly bytes: Buffer;
  /** The bytes are not looked at any more. */
  release(): void;
}

const firstBytes = 64 * 1024;
/** A request that was put off for so long will never be let through. */
const longestPauseMs = 60 * 60 * 1000;
const mostSpareBytes = 16 * 1024 * 1024;

export class QdrantClient implements Disposable {
  readonly #config: QdrantConfig;
  readonly #context: StoreContext;
  readonly #base: URL;
  readonly #agent: HttpAgent;
  readonly #spare: Buffer[] = [];
  readonly #headers: Readonly<Record<string, string>>;

  constructor(config: QdrantConfig, context: StoreContext) {
    this.#config = config;
    this.#context = context;
    this.#base = new URL(config.url);
    const options = { keepAlive: true, maxSockets: config.connections, scheduling: "lifo" } as const;
    this.#agent =
      this.#base.protocol === "https:"
        ? new HttpsAgent({ ...options, ...certificates(config.caFile) })
        : new HttpAgent(options);
    this.#headers = config.apiKey === undefined ? {} : { "api-key": config.apiKey };
  }

  /** The URL without secrets. */
  get source(): string {
    return this.#config.url;
  }

  /**
   * What `read` makes of the answer's bytes; they are used again when it returns. `path` begins with `/`, its segments are encoded with `segment`. Tried again while the failure
   * may pass: all requests of this adaptor can be repeated. A request that `waits` for the server's work (an index, the
   * optimisers) is given the time that is configured for that. Rejects with a `Refusal` for an answer that says no,
   * `STORE_UNREACHABLE`, `STORE_DENIED`, or the signal's reason.
   */
  async ask<T>(
    method: Method,
    path: string,
    body: Body | undefined,
    read: (answer: Buffer) => T,
    waits = false,
  ): Promise<T> {
    const answer = await this.#answer(method, path, body, waits);
    try {
      return read(answer.bytes);
    } finally {
      answer.release();
    }
  }

  async #answer(method: Method, path: string, body: Body | undefined, waits: boolean): Promise<Answer> {
    const { clock, signal } = this.#context;
    const { timeout, optimizerWait, retryFor } = this.#config;
    const timeoutMs = waits ? Math.max(timeout, optimizerWait) : timeout;
    let pausedMs = 0;
    // A pause that the server names is obeyed, and does not count against the time for failures.
    for (;;) {
      let failedSinceMs: number | undefined;
      try {
        return await retry((attempts) => this.#once(method, path, body, timeoutMs, attempts > 0), {
          deadlineMs: Number.POSITIVE_INFINITY,
          firstDelayMs: 100,
          maxDelayMs: 5_000,
          isTransient: (error) => {
            // Counted from the first failure: a request that took all of its time is tried once more.
            failedSinceMs ??= clock.monotonicMs();
            const isOver = clock.monotonicMs() - failedSinceMs >= retryFor;
            return !isOver && (!(error instanceof Refusal) || error.mayPass);
          },
          signal,
          clock,
        });
      } catch (error) {
        signal.throwIfAborted();
        const pauseMs = error instanceof Refusal ? pauseOf(error) : undefined;
        if (pauseMs === undefined || pausedMs > longestPauseMs)
          throw failure(error, `${method} ${path.split("?")[0]}`, this.source);
        this.#context.observer.step(
          this.#context.name,
          `waiting ${Math.ceil(pauseMs / 1000)} s: the server's rate limit is reached`,
        );
        await clock.sleep(pauseMs, signal);
        pausedMs += pauseMs;
      }
    }
  }

  async #once(
    method: Method,
    path: string,
    body: Body | undefined,
    timeoutMs: number,
    isRetry: boolean,
  ): Promise<Answer> {
    const incoming = await this.#send(method, path, body, timeoutMs);
    const status = incoming.statusCode ?? 0;
    const answer = await this.#collect(incoming);
    if (status >= 200 && status < 300) return answer;
    const refusal = new Refusal(status, errorText(answer.bytes), {
      retryAfter: incoming.headers["retry-after"],
      isRetry,
    });
    answer.release();
    throw refusal;
  }

  /** Pages are megabytes and come by the thousand: new memory for each would grow faster than it is collected. */
  #collect(incoming: IncomingMessage): Promise<Answer> {
    return new Promise((resolve, reject) => {
      let buffer = this.#spare.pop() ?? Buffer.allocUnsafeSlow(firstBytes);
      let length = 0;
      // Doubling a buffer up to a page leaves as much again to be collected, and half of the last one unused.
      const announced = Math.min(mostSpareBytes, Number(incoming.headers["content-length"] ?? 0));
      if (announced > buffer.length) buffer = Buffer.allocUnsafeSlow(announced + (announced >> 3));
      incoming.on("data", (part: Buffer) => {
        if (length + part.length > buffer.length) {
          const grown = Buffer.allocUnsafeSlow(Math.max(buffer.length * 2, length + part.length));
          buffer.copy(grown, 0, 0, length);
          buffer = grown;
        }
        part.copy(buffer, length);
        length += part.length;
      });
      const release = (): void => {
        if (buffer.length <= mostSpareBytes) this.#spare.push(buffer);
      };
      incoming.on("end", () => {
        if (incoming.complete) resolve({ bytes: buffer.subarray(0, length), release });
        else reject(new Error("the answer was cut"));
      });
      incoming.on("error", reject);
    });
  }

  #send(method: Method, path: string, body: Body | undefined, timeoutMs: number): Promise<IncomingMessage> {
    const options: RequestOptions = {
      method,
      agent: this.#agent,
      hostname: this.#base.hostname.replace(/^\[(.*)\]$/, "$1"),
      port: this.#base.port || (this.#base.protocol === "https:" ? 443 : 80),
      path: this.#base.pathname.replace(/\/$/, "") + path,
      headers: {
        ...this.#headers,
        ...(body === undefined
          ? {}
          : { "content-type": "application/json", "content-length": Buffer.byteLength(body) }),
      },
      signal: AbortSignal.any([this.#context.signal, AbortSignal.timeout(timeoutMs)]),
    };
    return new Promise((resolve, reject) => {
      const send = this.#base.protocol === "https:" ? httpsRequest : httpRequest;
      const request = send(options, resolve);
      request.on("error", reject);
      request.end(body);
    });
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}

/** A name as one segment of a path: names are data (law 12). `.` and `..` would be taken for folders. */
export function segment(name: string): string {
  return encodeURIComponent(name).replace(/^\.{1,2}$/, (dots) => dots.replaceAll(".", "%2E"));
}

function certificates(caFile: string | undefined): { ca?: string[] } {
  if (caFile === undefined) return {};
  try {
    return { ca: [...rootCertificates, readFileSync(caFile, "utf8")] };
  } catch (cause) {
    throw new MemkeepError("CONFIG_INVALID", {
      tried: `read the certificates in ${caFile}`,
      happened: reasonOf(cause),
      cause,
    });
  }
}
