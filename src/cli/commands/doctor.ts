/** `memkeep doctor`: reaches everything, one line each: well, or what is wrong and what mends it. */
import { ExitCode } from "../../domain/errors.ts";
import { collect, type CommandModule, listOption } from "../command.ts";
import { refuseNone } from "../open.ts";
import { doctorView } from "../views/doctor.ts";

export const command: CommandModule = {
  examples: [
    { command: "memkeep doctor", text: "all stores and repositories of memkeep.yaml" },
    { command: "memkeep doctor --quiet", text: "only what is wrong" },
    {
      command: "memkeep doctor --store ./memory.db --repository ./backups",
      text: "without a configuration",
    },
  ],
  notes: [
    "It changes nothing: it takes a lock in each repository and lets it go, to see whether it may write. Whether the snapshots are good is what `memkeep verify` proves.",
  ],
  exits: [ExitCode.warnings],
  declare(command) {
    command.option("-s, --store <store>", "a store's path or URL; may be repeated", collect, []);
  },
  async run(context, _args, options) {
    const { configuration } = await context.configuration(listOption(options, "store"));
    refuseNone(configuration);
    const { openStack } = await import("../../config/open-stack.ts");
    const { examineConfiguration } = await import("../../config/examine.ts");
    const { stackRepositories } = await import("../../config/open-stack.ts");
    const { doctor } = await import("../../engine/doctor/run.ts");
    const access = await context.opening();
    const stack = await openStack(configuration, access);
    const report = await doctor(
      {
        stores: stack.stores,
        repositories: stackRepositories(configuration, access),
        before: await examineConfiguration(configuration, access),
      },
      context.surroundings(),
    );
    const quiet = context.options.quiet === true;
    const wrong = report.checks.some(({ status }) => status !== "ok");
    if (!quiet || wrong || context.options.json === true) {
      context.reporter.show("data", report, (data, style) => doctorView(data, quiet, style));
    }
    return { ok: ExitCode.done, warning: ExitCode.warnings, critical: ExitCode.failed }[report.status];
  },
};
