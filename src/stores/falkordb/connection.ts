/** One connection to the server: commands in, answers out, one at a time. */
import { readFile } from "node:fs/promises";
import { connect as connectTcp, isIP } from "node:net";
import type { Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { MemkeepError, reasonOf } from "../../domain/errors.ts";
import type { FalkorDBConfig } from "./config.ts";
import { RespReader, ServerError, encodeCommand, incomplete } from "./resp.ts";
import type { Reply } from "./resp.ts";

type Word = string | Uint8Array;

/** Received bytes that wait to be decoded before the socket is paused. */
const highWaterBytes = 1024 * 1024;

export class Connection implements AsyncDisposable {
  readonly #socket: Socket;
  readonly #reader = new RespReader();
  readonly #where: string;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  private constructor(connect: (take: (bytes: Uint8Array) => boolean) => Socket, where: string) {
    this.#where = where;
    this.#socket = connect((bytes) => {
      this.#reader.push(bytes);
      this.#wake?.();
      return this.#reader.end - this.#reader.at < highWaterBytes;
    });
    this.#socket.on("error", (error) => this.#fail(error));
    this.#socket.on("close", () => this.#fail(new Error("the server closed the connection")));
  }

  /**
   * Connects and logs in. `STORE_UNREACHABLE` when nobody answers, `STORE_DENIED` when the server refuses the password.
   * An aborted signal ends the connection, whatever it is doing.
   */
  static async open(config: FalkorDBConfig, signal: AbortSignal): Promise<Connection> {
    signal.throwIfAborted();
    const url = new URL(config.url);
    const where = url.host;
    const port = url.port === "" ? 6379 : Number(url.port);
    const host = url.hostname.replace(/^\[|\]$/g, "");
    const ca = config.caFile === undefined ? {} : { ca: await readFile(config.caFile) };
    const open = (take: (bytes: Uint8Array) => boolean): Socket => {
      if (url.protocol !== "rediss:") return openTcp(host, port, take);
      // An address is no name that TLS could ask for.
      const name = isIP(host) > 0 ? {} : { servername: host };
      const tls = connectTls({ host, port, ...name, ...ca });
      tls.on("data", (bytes: Buffer) => {
        if (!take(bytes)) tls.pause();
      });
      return tls;
    };
    const connection = new Connection(open, where);
    const socket = connection.#socket;
    socket.setTimeout(config.timeout, () => connection.#fail(new Error(`no answer in ${config.timeout} ms`)));
    const onAbort = (): void => connection.#fail(signal.reason as Error);
    signal.addEventListener("abort", onAbort, { once: true });
    socket.once("close", () => signal.removeEventListener("abort", onAbort));
    const username = config.username ?? decodeURIComponent(url.username);
    const password = config.password ?? decodeURIComponent(url.password);
    try {
      if (password !== "") await connection.command("AUTH", ...(username === "" ? [] : [username]), password);
      await connection.command("PING");
    } catch (error) {
      await connection[Symbol.asyncDispose]();
      if (!(error instanceof ServerError)) throw error;
      throw new MemkeepError("STORE_DENIED", {
        tried: `log in to FalkorDB at ${where}`,
        happened: /^(NOAUTH|WRONGPASS|NOPERM)/.exec(error.message)?.[0] ?? "the server refused",
        next: "Check `username` and `password` in the configuration.",
      });
    }
    return connection;
  }

  /** The whole answer of a command. Throws `ServerError` with the server's words, `STORE_UNREACHABLE` when it is gone. */
  async command(...words: readonly Word[]): Promise<Reply> {
    await this.#send(words);
    try {
      return await this.#read(() => this.#reader.reply());
    } catch (error) {
      // An error within an answer leaves the rest of it unread.
      if (!(error instanceof ServerError) || error.isNested) this.#fail(asError(error));
      throw error;
    }
  }

  /**
   * A query whose answer is a table: `onRow` decodes each row from the reader as it comes. Throws as `command` does; then
   * rows may have been given already, and they must not be used.
   */
  async rows(words: readonly Word[], onRow: (reader: RespReader) => void): Promise<number> {
    const reader = this.#reader;
    await this.#send(words);
    const parts = await this.#read(() => reader.array());
    if (parts !== 3) throw new TypeError("a query was answered without a table");
    try {
      await this.#read(() => reader.skip());
      const count = await this.#read(() => reader.array());
      for (let row = 0; row < count;) {
        let start = reader.at;
        try {
          for (; row < count; row++) {
            start = reader.at;
            onRow(reader);
          }
        } catch (error) {
          if (error !== incomplete) throw error;
          reader.at = start;
          await this.#more();
        }
      }
      await this.#read(() => reader.skip());
      return count;
    } catch (error) {
      // Some of the answer was not read: the next one could not be found.
      this.#fail(asError(error));
      throw error;
    }
  }

  get isUsable(): boolean {
    return this.#failure === undefined;
  }

  async #send(words: readonly Word[]): Promise<void> {
    if (this.#failure) throw this.#unreachable();
    this.#socket.write(encodeCommand(words));
    await Promise.resolve();
  }

  async #read<Result>(parse: () => Result): Promise<Result> {
    for (;;) {
      const start = this.#reader.at;
      try {
        return parse();
      } catch (error) {
        if (error !== incomplete) throw error;
        this.#reader.at = start;
      }
      await this.#more();
    }
  }

  /** Waits for bytes. */
  async #more(): Promise<void> {
    const { end, at } = this.#reader;
    const before = end - at;
    do {
      if (this.#failure) throw this.#unreachable();
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      this.#socket.resume();
      await promise;
      this.#wake = undefined;
    } while (this.#reader.end - this.#reader.at === before);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#socket.destroy();
    this.#wake?.();
  }

  #unreachable(): Error {
    const failure = this.#failure!;
    if (failure.name === "AbortError" || failure instanceof MemkeepError) return failure;
    return new MemkeepError("STORE_UNREACHABLE", {
      tried: `talk to FalkorDB at ${this.#where}`,
      happened: reasonOf(failure),
      next: "Check that the server runs and that this machine may reach it.",
      cause: failure,
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#failure ??= new Error("the connection was closed");
    this.#socket.destroy();
    return Promise.resolve();
  }
}

/** A socket that reads into one buffer: allocating one for every 64 KiB would keep the garbage collector busy. */
function openTcp(host: string, port: number, take: (bytes: Uint8Array) => boolean): Socket {
  const buffer = Buffer.allocUnsafeSlow(256 * 1024);
  const onread = { buffer, callback: (count: number): boolean => take(buffer.subarray(0, count)) };
  return connectTcp({ host, port, noDelay: true, onread });
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error("the answer was not read to its end");
}
