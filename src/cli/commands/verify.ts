/** `memkeep verify [SNAPSHOT]`: proves it, and records the proof in the repository. */
import { ExitCode, MemkeepError } from "../../domain/errors.ts";
import type { VerifyLevel } from "../../repository/repository.ts";
import { collect, type CommandModule, listOption, textOption } from "../command.ts";
import { tellNext, quoted } from "../next-command.ts";
import { findSnapshot, withRepository } from "../open.ts";
import { verifyView } from "../views/verify.ts";

const levels: readonly VerifyLevel[] = ["stored", "decoded", "restored"];

export const command: CommandModule = {
  examples: [
    { command: "memkeep verify", text: "the newest snapshot: every record of it decodes" },
    { command: "memkeep verify --level stored", text: "every byte of the whole repository" },
    { command: "memkeep verify 1f3a9c --level restored", text: "a drill: restore it aside, and compare" },
  ],
  notes: [
    "Levels: stored (every byte hashes), decoded (every dump file parses and agrees with the manifest), restored (restored into a scratch place, read back and compared). Each includes those before it.",
  ],
  exits: [ExitCode.warnings, ExitCode.noRepository, ExitCode.wrongPassword],
  declare(command) {
    command
      .argument("[snapshot]", "latest (the default), latest:STACK, or the beginning of an id")
      .option(
        "-s, --store <store>",
        "a store's path or URL, for a drill without a configuration",
        collect,
        [],
      )
      .option("-l, --level <level>", "stored, decoded or restored; decoded when absent")
      .option("--at <time>", 'with latest: the newest at or before, such as "2026-11-20 02:00"');
  },
  run(context, [text], options) {
    const level = levelOption(textOption(options, "level"));
    const at = textOption(options, "at");
    return withRepository(context, listOption(options, "store"), async (opened) => {
      const { configuration } = opened.loaded;
      const whole = level === "stored" && text === undefined && at === undefined;
      const snapshot = whole ? undefined : await findSnapshot(context, opened, text ?? "latest", at);
      const { openStack } = await import("../../config/open-stack.ts");
      const { verify } = await import("../../engine/verify/run.ts");
      const stack = await openStack(configuration, await context.opening());
      const report = await verify(
        { ...stack, name: snapshot?.stack ?? stack.name },
        opened.repository,
        { level, snapshot },
        context.surroundings(),
      );
      context.reporter.show("report", report, verifyView);
      if (!report.ok) return ExitCode.failed;
      const lower = report.snapshots.some(({ stores }) => stores.some((store) => store.level !== level));
      if (!lower && level !== "restored") {
        const same = snapshot === undefined ? "" : ` ${snapshot.id.slice(0, 8)}`;
        const stores = listOption(options, "store").map((store) => ` -s ${quoted(store)}`);
        tellNext(context, `verify${same} --level restored${stores.join("")}`);
      }
      return lower ? ExitCode.warnings : ExitCode.done;
    });
  },
};

function levelOption(text: string | undefined): VerifyLevel {
  if (text === undefined) return "decoded";
  const level = levels.find((known) => known === text);
  if (level) return level;
  throw new MemkeepError("USAGE", {
    tried: "understand --level",
    happened: `${JSON.stringify(text.slice(0, 80))} is no level`,
    next: `Write one of ${levels.join(", ")}.`,
  });
}
