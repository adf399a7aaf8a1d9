/** `memkeep status`: one screen that says whether the memory can be brought back. */
import { ExitCode } from "../../domain/errors.ts";
import { type CommandModule, textOption } from "../command.ts";
import { durationOption } from "../context.ts";
import { sameFlags } from "../next-command.ts";
import { refuseNone } from "../open.ts";
import { statusView } from "../views/status.ts";

/** Without a word about how often backups run, one a day is expected, and may take its time. */
const usualMaxAgeMs = 26 * 3_600_000;

export const command: CommandModule = {
  examples: [
    { command: "memkeep status", text: "can everything be brought back, and how old would it be?" },
    { command: "memkeep status --max-age 7d", text: "where backups are taken once a week" },
    {
      command: "memkeep status --json",
      text: "for a program; exit code 2 where a restore would lack something",
    },
  ],
  notes: [
    "It asks the repositories and no store, so it works while the stores are down; `memkeep doctor` asks all. Too old is twice backup.minInterval, or 26 hours where that is not set.",
  ],
  exits: [ExitCode.noRepository, ExitCode.wrongPassword],
  declare(command) {
    command.option("--max-age <duration>", "how old the newest recovery point may be, such as 26h or 7d");
  },
  async run(context, _args, options) {
    const { configuration } = await context.configuration();
    refuseNone(configuration);
    const { stackRepositories } = await import("../../config/open-stack.ts");
    const { repositoryFacts } = await import("../../engine/status/facts.ts");
    const { judgeStatus } = await import("../../engine/status/judge.ts");
    const given = textOption(options, "maxAge");
    const repositories = await repositoryFacts(
      stackRepositories(configuration, await context.opening()),
      context.surroundings(),
    );
    const report = judgeStatus({
      nowMs: context.clock.now(),
      stack: configuration.stack,
      stores: configuration.stores,
      repositories,
      maxAgeMs:
        given === undefined ? usual(configuration.backup.minIntervalMs) : durationOption("--max-age", given),
    });
    const flags = sameFlags(context);
    context.reporter.show("data", report, (data, style) => statusView(data, flags, style));
    const failed = repositories.find((each) => !each.reached);
    if (report.state === "unknown" && failed?.reached === false) return failed.error.exitCode;
    return worthAnAlarm(report.state) ? ExitCode.failed : ExitCode.done;
  },
};

function usual(minIntervalMs: number): number {
  return minIntervalMs > 0 ? 2 * minIntervalMs : usualMaxAgeMs;
}

function worthAnAlarm(state: string): boolean {
  return ["late", "failing", "empty", "unknown"].includes(state);
}
