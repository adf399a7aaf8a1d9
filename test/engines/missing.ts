/** An engine cannot be had on this machine. The message says what is missing and how to get it, in one line. */
export class EngineMissing extends Error {
  override readonly name = "EngineMissing";

  constructor(what: string, how: string) {
    super(`${what}; ${how}`);
  }
}
