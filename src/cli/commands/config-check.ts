/** `memkeep config check`. */
import { ExitCode, MemkeepError } from "../../domain/errors.ts";
import type { CommandModule } from "../command.ts";
import { hanging, printable, type Style } from "../output/style.ts";
import { amountText } from "../../domain/words.ts";

interface CheckedConfiguration {
  readonly file: string | null;
  readonly stack: string | null;
  readonly stores: readonly { readonly name: string; readonly kind: string }[];
  readonly repositories: readonly { readonly name: string; readonly storage: string }[];
}

export const command: CommandModule = {
  examples: [{ command: "memkeep config check", text: "reads the file; reaches no store and no repository" }],
  exits: [],
  declare: () => undefined,
  async run(context) {
    const { configuration } = await context.configuration();
    const { file, stack, stores, repositories } = configuration;
    if (file === undefined && stores.length === 0 && repositories.length === 0) throw await noFile(context);
    const data: CheckedConfiguration = {
      file: file ?? null,
      stack: stack ?? null,
      stores: stores.map(({ name, kind }) => ({ name, kind })),
      repositories: repositories.map(({ name, place }) => ({ name, storage: place.kind })),
    };
    context.reporter.show("report", data, checkView);
    return ExitCode.done;
  },
};

async function noFile({ environment }: Parameters<CommandModule["run"]>[0]): Promise<MemkeepError> {
  const { searchPath } = await import("../../config/find-file.ts");
  return new MemkeepError("CONFIG_INVALID", {
    tried: "find the configuration",
    happened: `there is none at ${searchPath(environment).join(", ")}`,
    next: "Write a memkeep.yaml, or name one with --config.",
  });
}

function checkView({ file, stores, repositories }: CheckedConfiguration, style: Style): string {
  const words = [
    `${printable(file ?? "the flags")}: ${amountText(stores.length, "store")} (${names(stores)})`,
    `${amountText(repositories.length, "repository", "repositories")} (${names(repositories)})`,
  ].join(", ");
  return hanging(`${style.good(style.signs.good)} `, words, style);
}

function names(all: readonly { readonly name: string }[]): string {
  return all.map(({ name }) => printable(name)).join(", ");
}
