/** `memkeep config print`: every value with where it comes from. */
import { describeOrigin, type Origin, pathText } from "../../config/origin.ts";
import { ExitCode } from "../../domain/errors.ts";
import type { CommandModule } from "../command.ts";
import type { Style } from "../output/style.ts";
import { tableText } from "../output/table.ts";

interface PrintedValue {
  readonly path: string;
  readonly value: unknown;
  readonly from: string;
  readonly origin: Origin;
}

export const command: CommandModule = {
  examples: [
    { command: "memkeep config print", text: "secrets are shown as ***" },
    { command: "memkeep config print --json", text: "the same for a program" },
  ],
  exits: [],
  declare(command) {
    command.option("--resolved", "with variables and defaults put in, which is always so");
  },
  async run(context) {
    const { configuration } = await context.configuration();
    const values = configuration.values.map(({ path, value, origin }): PrintedValue => {
      return { path: pathText(path), value, from: describeOrigin(origin), origin };
    });
    context.reporter.show("data", { file: configuration.file ?? null, values }, printView);
    return ExitCode.done;
  },
};

function printView({ values }: { readonly values: readonly PrintedValue[] }, style: Style): string {
  return tableText(
    [{ title: "KEY", flexible: true }, { title: "VALUE", flexible: true }, { title: "FROM" }],
    values.map(({ path, value, from }) => [
      path,
      typeof value === "string" ? value : JSON.stringify(value),
      { text: from, paint: style.dim },
    ]),
    style,
  );
}
