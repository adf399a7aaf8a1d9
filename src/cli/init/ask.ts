/** The questions of the wizard, on the terminal's error stream: each gives an answer, or ends the wizard. */
import * as clack from "@clack/prompts";
import type { Writable } from "node:stream";
import { wrap } from "../output/style.ts";
import { cancelled } from "./cancelled.ts";

export interface Choice<Value> {
  readonly value: Value;
  readonly label: string;
  readonly hint?: string;
}

export class Asker {
  readonly #room: number;
  readonly #common: { readonly output: Writable; readonly signal: AbortSignal };

  /** @param columns of the terminal. */
  constructor(signal: AbortSignal, columns: number) {
    this.#common = { output: process.stderr, signal };
    // A bar and two blanks stand before each line, and one column stays free.
    this.#room = columns - 4;
  }

  begin(title: string): void {
    clack.intro(title, this.#common);
  }

  end(text: string): void {
    clack.outro(text, this.#common);
  }

  say(text: string): void {
    clack.log.message(wrap(text, this.#room, ""), this.#common);
  }

  warn(text: string): void {
    clack.log.warn(wrap(text, this.#room, ""), this.#common);
  }

  async text(message: string, initial: string, wrong: (text: string) => string | undefined): Promise<string> {
    return this.#answer(
      await clack.text({
        ...this.#common,
        message,
        initialValue: initial,
        validate: (text) => wrong(text ?? ""),
      }),
    );
  }

  async password(message: string): Promise<string> {
    return this.#answer(
      await clack.password({
        ...this.#common,
        message,
        validate: (text) =>
          text === undefined || text === "" ? "An empty password protects nothing." : undefined,
      }),
    );
  }

  async yes(message: string): Promise<boolean> {
    return this.#answer(await clack.confirm({ ...this.#common, message }));
  }

  async one<Value extends string>(message: string, choices: readonly Choice<Value>[]): Promise<Value> {
    return this.#answer(
      await clack.select<Value>({
        ...this.#common,
        message,
        options: [...choices] as clack.Option<Value>[],
      }),
    );
  }

  async some<Value extends string>(
    message: string,
    choices: readonly Choice<Value>[],
    initial: readonly Value[],
  ): Promise<readonly Value[]> {
    return this.#answer(
      await clack.multiselect<Value>({
        ...this.#common,
        message,
        options: [...choices] as clack.Option<Value>[],
        initialValues: [...initial],
        required: true,
      }),
    );
  }

  #answer<Answer>(answer: Answer): Exclude<Answer, symbol> {
    this.#common.signal.throwIfAborted();
    if (clack.isCancel(answer)) throw cancelled();
    return answer as Exclude<Answer, symbol>;
  }
}
