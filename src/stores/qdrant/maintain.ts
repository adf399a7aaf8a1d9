/** Maintenance that is safe on a server that others use. */
import type { MaintenanceTask, StoreContext } from "../store.ts";
import type { QdrantConfig } from "./config.ts";
import { Server } from "./server.ts";
import { dropMarked, mixed, namesOn, scratchMark, unfinished } from "./units.ts";

export function maintenanceTasks(config: QdrantConfig, context: StoreContext): readonly MaintenanceTask[] {
  return [
    {
      name: "cleanup",
      text: "drop the collections that interrupted restores and drills left; only those that carry memkeep's marks. Not while a restore or drill is running",
      run: () => cleanUp(config, context),
    },
  ];
}

async function cleanUp(config: QdrantConfig, context: StoreContext): Promise<string> {
  using server = new Server(config, context);
  const names = await namesOn(server);
  const marked = [
    ...[...unfinished(names)].map(([mark, collection]) => ({ mark, collection })),
    ...names.collections
      .filter((collection) => collection.startsWith(scratchMark))
      .map((collection) => ({ mark: undefined, collection })),
  ];
  for (const { collection, mark } of marked) await dropMarked(server, collection, mark);
  const changed = mixed(names);
  await server.changeAliases([...changed.keys()].map((alias) => ({ alias })));
  const done = [
    ...(marked.length === 0 ? [] : [`dropped ${marked.map(({ collection }) => collection).join(", ")}`]),
    ...(changed.size === 0
      ? []
      : [
          `took the mark of an interrupted restore off ${[...new Set(changed.values())].join(", ")}, whose points may be a mixture`,
        ]),
  ];
  return done.length === 0 ? "there was nothing to drop" : done.join("; ");
}
