import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe } from "vitest";
import { systemClock } from "../../util/clock/clock.ts";
import { engine } from "../../../test/engines/require.ts";
import type { Server } from "../../../test/engines/server.ts";
import { storeContract } from "../contract/suite.ts";
import { Session } from "./client.ts";
import { fromUrl, schema } from "./config.ts";
import { fill, fillAwkward } from "../../../test/falkordb/testing.ts";
import { falkordb } from "./index.ts";

const server = await engine("falkordb");

describe.skipIf(server.missing)("falkordb", () => {
  let running: Server;
  let session: Session;
  beforeAll(async () => {
    running = await server.start();
    session = new Session(schema.parse({ url: running.url, graph: "unused" }), {
      signal: new AbortController().signal,
      clock: systemClock,
    });
  });
  afterAll(async () => {
    await session[Symbol.asyncDispose]();
    await running.stop();
  });

  function newName(): string {
    return `memkeep-test-${randomBytes(6).toString("hex")}`;
  }

  storeContract({
    kind: "falkordb",
    adaptor: falkordb,
    logicalDump: true,
    async create() {
      const graph = newName();
      await fillAwkward(session, graph);
      return {
        connect: (context) => falkordb.connect(schema.parse({ url: running.url, graph }), context),
        async change() {
          await fill(session, graph, [
            "MATCH (n:Memory {id:'m5'}) DELETE n",
            "CREATE (:Memory {id:'new', importance:1.0})",
            "MATCH (n:Memory {id:'m6'}) SET n.importance = n.importance + 1",
          ]);
          return "(:Memory)";
        },
        async lose() {
          await session.command("GRAPH.DELETE", graph);
        },
        async [Symbol.asyncDispose]() {
          await session.command("UNLINK", graph);
        },
      };
    },
    emptyTarget() {
      const target = `${running.url.replace("redis:", "falkordb:")}/${newName()}`;
      return Promise.resolve({
        target,
        connect: (context) => falkordb.connect(fromUrl(target), context),
      });
    },
  });
});
