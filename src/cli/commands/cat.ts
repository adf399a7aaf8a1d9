/** `memkeep cat SNAPSHOT path`: a file's bytes on standard output. */
import { ExitCode } from "../../domain/errors.ts";
import { type CommandModule, textOption } from "../command.ts";
import { findSnapshot, withRepository } from "../open.ts";

export const command: CommandModule = {
  examples: [
    { command: "memkeep cat latest manifest.json", text: "what the newest snapshot holds" },
    { command: "memkeep cat latest memory/memory.db > memory.db", text: "one file of it" },
  ],
  exits: [ExitCode.noRepository, ExitCode.wrongPassword],
  declare(command) {
    command
      .argument("<snapshot>", "latest, latest:STACK, or the beginning of an id")
      .argument("<path>", "a file in it, as `memkeep ls` shows it")
      .option("--at <time>", 'with latest: the newest at or before, such as "2026-11-20 02:00"');
  },
  run(context, [text = "", path = ""], options) {
    return withRepository(context, [], async (opened) => {
      const info = await findSnapshot(context, opened, text, textOption(options, "at"));
      await using _guard = await opened.repository.guard();
      const snapshot = await opened.repository.open(info.id);
      for await (const bytes of snapshot.read(path.replace(/^\/+/, ""))) {
        context.signal.throwIfAborted();
        // The reader's memory is used again for the next piece; a stream keeps what it could not write yet.
        if (!(await context.stdout.writeBytes(Buffer.from(bytes)))) break;
      }
      return ExitCode.done;
    });
  },
};
