/** Maintenance that a database offers. */
import type { MaintenanceTask } from "../store.ts";
import { openSession } from "./client.ts";
import { dropMarked, markedDatabases } from "./marked-databases.ts";
import type { Surroundings } from "./view.ts";

export function maintenanceTasks(surroundings: Surroundings): readonly MaintenanceTask[] {
  const { config, connection, context } = surroundings;
  async function statement(sql: string): Promise<string> {
    await using session = await openSession(connection, config, context);
    await session.run(sql);
    return `${sql} of ${connection.database} is done`;
  }
  return [
    {
      name: "vacuum",
      text: "free dead rows and refresh statistics",
      run: () => statement("VACUUM (ANALYZE)"),
    },
    { name: "analyze", text: "refresh the planner's statistics", run: () => statement("ANALYZE") },
    {
      name: "cleanup",
      text: "drop scratch databases that a killed run left behind",
      async run() {
        await using session = await openSession(connection, config, context);
        const left = (await markedDatabases(session)).filter(({ mark }) => mark === "scratch");
        const dropped: string[] = [];
        for (const { name } of left) {
          const users = await session.value("SELECT count(*) FROM pg_stat_activity WHERE datname = $1", [
            name,
          ]);
          // Somebody is at it: a restore that runs.
          if (users !== "0") continue;
          await dropMarked(session, name, "scratch");
          dropped.push(name);
        }
        return dropped.length === 0 ? "nothing was left behind" : `dropped ${dropped.join(", ")}`;
      },
    },
  ];
}
