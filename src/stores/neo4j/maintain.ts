/** Maintenance: what an interrupted restore or drill left behind. */
import type { MaintenanceTask } from "../store.ts";
import type { Client } from "./client.ts";
import { findMarker, removeMarker } from "./marker.ts";
import { wipe } from "./wipe.ts";

export function maintenanceTasks(client: Client): readonly MaintenanceTask[] {
  return [
    {
      name: "cleanup",
      text:
        "Remove the mark of an interrupted restore, keeping the data as it is now, or all of a scratch database. " +
        "Not while a restore or drill is running.",
      run: async () => {
        const marker = await findMarker(client);
        if (!marker) return "nothing was left behind";
        if (marker.purpose === "scratch") await wipe(client);
        await removeMarker(client);
        return marker.purpose === "scratch"
          ? `the data of the drill that began at ${marker.since} is removed`
          : `the mark of the restore that began at ${marker.since} is removed; the data stays as it is`;
      },
    },
  ];
}
