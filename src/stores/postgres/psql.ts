/** A psql that stays, so that what it is told happens in one session. */
import { randomBytes } from "node:crypto";
import { MemkeepError } from "../../domain/errors.ts";
import { type Program, feed } from "../../util/exec/program.ts";
import { databaseArgument } from "./child-environment.ts";

export function psqlArguments(database: string): string[] {
  return [
    "--no-psqlrc",
    "--quiet",
    "--no-password",
    "--tuples-only",
    "--no-align",
    "--set=ON_ERROR_STOP=1",
    `--dbname=${databaseArgument(database)}`,
  ];
}

/** It is told one statement after another. What it answers ends with a line that nobody can foresee. */
export class Psql {
  readonly program: Program;
  readonly #refuseEnded: () => Promise<void>;
  readonly #stdout: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(program: Program, refuseEnded: () => Promise<void>) {
    this.program = program;
    this.#refuseEnded = refuseEnded;
    this.#stdout = program.stdout[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  async say(text: string): Promise<void> {
    await feed(this.program, single(Buffer.from(text)), { end: false });
  }

  /** Runs a script to its end, and looks at nothing that it answers. */
  async run(script: AsyncIterable<Uint8Array>): Promise<void> {
    const mark = newMark();
    const reading = this.#until(mark, () => undefined);
    // When psql has ended its reader tells why; the feed only stops.
    const feeding = feed(this.program, script, { end: false }).then(() => this.say(`\n\\echo ${mark}\n`));
    await Promise.all([reading, feeding]);
  }

  /** The bytes that one statement answers. */
  async query(statement: string, take: (bytes: Buffer) => void): Promise<void> {
    const mark = newMark();
    await this.say(`${statement};\n\\echo ${mark}\n`);
    await this.#until(mark, take);
  }

  async lines(statement: string, take: (line: string) => void): Promise<void> {
    let rest = "";
    await this.query(statement, (bytes) => {
      const lines = (rest + bytes.toString("latin1")).split("\n");
      rest = lines.pop()!;
      for (const line of lines) take(line);
    });
  }

  async close(): Promise<void> {
    this.program.stdin.end();
    this.program.stdout.resume();
    await this.program.ended;
  }

  stop(): Promise<void> {
    return this.program.stop();
  }

  async #until(mark: string, take: (bytes: Buffer) => void): Promise<void> {
    const wanted = Buffer.from(`${mark}\n`);
    for (;;) {
      const at = this.#rest.indexOf(wanted);
      if (at >= 0) {
        if (at > 0) take(this.#rest.subarray(0, at));
        this.#rest = this.#rest.subarray(at + wanted.length);
        return;
      }
      // The mark may be cut in two.
      const certain = this.#rest.length - wanted.length;
      if (certain > 0) {
        take(this.#rest.subarray(0, certain));
        this.#rest = this.#rest.subarray(certain);
      }
      const next = await this.#stdout.next();
      if (next.done === true) {
        await this.#refuseEnded();
        throw new MemkeepError("TOOL_FAILED", { tried: "run psql", happened: "it ended early" });
      }
      this.#rest = Buffer.concat([this.#rest, next.value]);
    }
  }
}

function newMark(): string {
  return `memkeep-${randomBytes(16).toString("hex")}`;
}

async function* single(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}
