/**
 * Optimistic locking (https://redis.io/docs/latest/develop/using-commands/transactions/): commands that take effect together,
 * and only when nobody has written to the watched keys since they were watched. The server counts a writing query when it
 * arrives and again when it takes effect, so nothing that was answered before escapes.
 */
import type { Connection } from "./connection.ts";
import type { Session } from "./client.ts";
import type { Reply } from "./resp.ts";

type Word = string | Uint8Array;

const beatMs = 60_000;

export class Watch implements AsyncDisposable {
  readonly #connection: Connection;
  readonly #beat: NodeJS.Timeout;
  /** Commands of a connection do not overtake each other. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(connection: Connection, idleMs: number) {
    this.#connection = connection;
    // The server and this machine both close connections that are silent for long.
    this.#beat = setInterval(
      () => void this.#command("PING").catch(() => undefined),
      Math.min(beatMs, idleMs / 3),
    );
    this.#beat.unref();
  }

  /** Watches keys, which need not exist, until it is disposed. */
  static async begin(session: Session, keys: readonly Word[]): Promise<Watch> {
    const watch = new Watch(await session.dedicated(), session.idleMs);
    try {
      await watch.#command("WATCH", ...keys);
      return watch;
    } catch (error) {
      await watch[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Watches more keys, from now on; false when one of them is missing. */
  async alsoExisting(keys: readonly Word[]): Promise<boolean> {
    await this.#command("WATCH", ...keys);
    return Number(await this.#command("EXISTS", ...keys)) === keys.length;
  }

  /**
   * All commands at once, and their answers; undefined when somebody wrote to a watched key: then none of them. Redis does not take back what was
   * done before a command that fails, so nothing may be left that can. When this rejects with `STORE_UNREACHABLE` the
   * commands may have taken effect, or may yet.
   */
  async execute(commands: readonly (readonly Word[])[]): Promise<readonly Reply[] | undefined> {
    await this.#command("MULTI");
    for (const command of commands) await this.#command(...command);
    return ((await this.#command("EXEC")) as readonly Reply[] | null) ?? undefined;
  }

  #command(...words: Word[]): ReturnType<Connection["command"]> {
    const next = this.#last.then(() => this.#connection.command(...words));
    this.#last = next.catch(() => undefined);
    return next;
  }

  /** Ends the connection, and with it the watch and a transaction that was not executed. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#beat);
    await this.#connection[Symbol.asyncDispose]();
  }
}
