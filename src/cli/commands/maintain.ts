/** `memkeep maintain`: what the databases offer to keep them well; shows its plan, does it with --apply. */
import { ExitCode, MemkeepError } from "../../domain/errors.ts";
import { chosen } from "../chosen.ts";
import { collect, type CommandModule, listOption, switchOption } from "../command.ts";
import { maintenancePlanView, maintenanceView } from "../views/maintain.ts";

export const command: CommandModule = {
  examples: [
    { command: "memkeep maintain", text: "what each store of memkeep.yaml offers" },
    {
      command: "memkeep maintain cleanup --apply",
      text: "remove what interrupted restores left, in all stores",
    },
    {
      command: "memkeep maintain vacuum --store ./memory.db --apply",
      text: "one task of one store, without a configuration",
    },
  ],
  notes: ["Not while a restore is under way. A backup before it costs little: `memkeep backup`."],
  exits: [ExitCode.partial],
  declare(command) {
    command
      .argument("[task...]", "such as cleanup, vacuum, analyze; all that there are when absent")
      .option("-s, --store <store>", "a store's name, path or URL; may be repeated", collect, [])
      .option("--apply", "do it");
  },
  async run(context, tasks, options) {
    const apply = switchOption(options, "apply");
    if (apply && tasks.length === 0) {
      throw new MemkeepError("USAGE", {
        tried: "maintain the stores",
        happened: "--apply is there, and no task is named",
        next: "Name the tasks, such as `memkeep maintain cleanup --apply`; without --apply all are shown.",
      });
    }
    const { configuration, chosenStores } = await context.configuration(listOption(options, "store"));
    const { openStack } = await import("../../config/open-stack.ts");
    const { planMaintenance, maintain } = await import("../../engine/maintain/run.ts");
    const stack = await openStack(configuration, await context.opening());
    const stores = chosen(stack.stores, chosenStores, "store");
    if (stores.length === 0) {
      throw new MemkeepError("USAGE", {
        tried: "maintain the stores",
        happened: "no store was named, and there is no configuration file",
        next: "Name one, such as `memkeep maintain --store ./memory.db`, or write a memkeep.yaml.",
      });
    }
    const { reporter } = context;
    // Also before it is done: a task that nobody offers is an error, and nothing was touched.
    const plan = await planMaintenance(stores, tasks, context.surroundings());
    if (!apply) {
      reporter.show("data", plan, maintenancePlanView);
      reporter.note("Nothing was done. With the names of tasks and --apply it is.");
      return plan.stores.some(({ error }) => error !== undefined) ? ExitCode.failed : ExitCode.done;
    }
    const report = await maintain(stores, tasks, context.surroundings());
    reporter.show("report", report, maintenanceView);
    const failed = report.done.filter(({ ok }) => !ok).length;
    if (failed === 0) return ExitCode.done;
    return failed === report.done.length ? ExitCode.failed : ExitCode.partial;
  },
};
