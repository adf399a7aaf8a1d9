/** Maintenance: scratch graphs that killed runs left behind. They also expire by themselves, an hour after their last use. */
import type { MaintenanceTask } from "../store.ts";
import type { Session } from "./client.ts";
import { removeScratch, scratchGraphs } from "./scratch.ts";

export function maintenanceTasks(session: Session): readonly MaintenanceTask[] {
  return [
    {
      name: "cleanup",
      text: "Remove scratch graphs of earlier runs. Not while another backup or restore of this server is running.",
      run: async () => {
        const own = await scratchGraphs(session);
        for (const name of own) await removeScratch(session, name);
        return own.length === 0 ? "nothing was left behind" : `${own.length} scratch graphs removed`;
      },
    },
  ];
}
