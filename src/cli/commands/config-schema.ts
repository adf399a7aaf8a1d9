/** `memkeep config schema`: what editors read to complete and check the file. */
import { configJsonSchema } from "../../config/json-schema.ts";
import { ExitCode } from "../../domain/errors.ts";
import type { CommandModule } from "../command.ts";

export const command: CommandModule = {
  examples: [
    {
      command: "memkeep config schema > memkeep.schema.json",
      text: "then begin memkeep.yaml with the line below",
    },
  ],
  notes: ["# yaml-language-server: $schema=./memkeep.schema.json"],
  exits: [],
  declare: () => undefined,
  async run(context) {
    context.reporter.show("data", await configJsonSchema(), (schema) => JSON.stringify(schema, null, 2));
    return ExitCode.done;
  },
};
