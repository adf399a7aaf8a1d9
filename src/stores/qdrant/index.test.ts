/** Qdrant against the contract of all stores: once with collections by their own names, once by an alias. */
import { afterAll, beforeAll, describe } from "vitest";
import { engine } from "../../../test/engines/require.ts";
import type { QdrantServer } from "../../../test/engines/qdrant/index.ts";
import { type ContractDatabase, storeContract } from "../contract/suite.ts";
import type { QdrantSettings } from "./config.ts";
import { qdrant } from "./index.ts";
import { fillSample } from "../../../test/qdrant/sample.ts";
import { Place } from "../../../test/qdrant/testing.ts";

const testEngine = await engine("qdrant");

describe.skipIf(testEngine.missing)("on a server", () => {
  let server: QdrantServer;
  beforeAll(async () => {
    server = await testEngine.start();
  });
  afterAll(() => server.stop());

  function database(place: Place, config: Partial<QdrantSettings>, changed: string): ContractDatabase {
    return {
      connect: (context) => place.store(config, context),
      async change() {
        await place.upsert(
          changed,
          '{"id":77,"vector":[1.0,1.0,1.0,1.0]},{"id":9,"vector":[4.0,3.0,2.0,1.0]}',
        );
        await place.ask("POST", `${place.path(changed)}/points/delete?wait=true`, '{"points":[0]}');
        return changed;
      },
      lose: () => place.dropAll(),
      [Symbol.asyncDispose]: () => place[Symbol.asyncDispose](),
    };
  }

  async function emptyTarget(
    config: Partial<QdrantSettings>,
  ): Promise<{ target: string; connect: ContractDatabase["connect"] }> {
    const { target, place } = new Place(server).beside();
    targets.push(place);
    return { target, connect: (context) => place.store(config, context) };
  }
  const targets: Place[] = [];
  afterAll(async () => {
    for (const place of targets) await place[Symbol.asyncDispose]();
  });

  storeContract({
    kind: "qdrant",
    adaptor: qdrant,
    logicalDump: true,
    async create() {
      const place = new Place(server);
      await fillSample(place);
      return database(place, {}, "memories");
    },
    emptyTarget: () => emptyTarget({}),
  });

  storeContract({
    kind: "qdrant, by an alias",
    adaptor: qdrant,
    logicalDump: true,
    async create() {
      const place = new Place(server);
      await fillSample(place);
      return database(place, { collections: ["with space"] }, "with space");
    },
    emptyTarget: () => emptyTarget({ collections: ["with space"] }),
  });
});
