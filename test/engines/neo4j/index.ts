import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { exists, installed } from "../cache.ts";
import { needCommands, run } from "../command.ts";
import { freePort } from "../free-port.ts";
import { EngineMissing } from "../missing.ts";
import { startProcess } from "../process.ts";
import { dataFolder, existingServer, readyServer } from "../server.ts";
import type { Server, ServerEngine, StartOptions } from "../server.ts";
import { askVersion } from "./bolt.ts";

const version = "5.26.19";

export interface Neo4jOptions extends StartOptions {
  /** The password of the user `neo4j`, then part of `url`; without one, authentication is off. At least 8 characters. */
  readonly password?: string;
  /** Compiled as far as in production: for benchmarks. Otherwise it starts in less than half the processor time. */
  readonly atFullSpeed?: boolean;
}

/** One compiler, which takes its time over nothing, and a collector without threads: a test's server lives for a minute. */
const shortLived = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"];

/**
 * Neo4j 5.26 community from its jars on Maven Central: one database, `neo4j`, over Bolt. `url` is `bolt://127.0.0.1:PORT`.
 * A start takes 3 to 10 s and 480 MB, so start one per suite and clean it between tests.
 */
export const neo4j: ServerEngine<Server, Neo4jOptions> = {
  urlVariable: "MEMKEEP_TEST_NEO4J_URL",
  ensure: jars,
  start,
  existing: existingServer,
};

/** The folder with the jars, for `-cp "<folder>/*"`, installed on the first call. */
async function jars(): Promise<string> {
  const folder = await installed(`neo4j-${version}`, async (into) => {
    await needCommands(["java", "mvn"], "Neo4j comes from Maven Central: install maven and a Java 17 or 21");
    await writeFile(join(into, "pom.xml"), project);
    try {
      await run(
        "mvn",
        ["-B", "-q", "dependency:copy-dependencies", `-DoutputDirectory=${join(into, "lib")}`],
        {
          cwd: into,
        },
      );
    } catch (error) {
      throw new EngineMissing(`Maven Central did not give Neo4j ${version}`, String(error));
    }
  });
  return join(folder, "lib");
}

const project = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>memkeep</groupId><artifactId>neo4j-for-tests</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.neo4j</groupId><artifactId>neo4j</artifactId><version>${version}</version></dependency>
  </dependencies>
</project>
`;

async function start(options: Neo4jOptions = {}): Promise<Server> {
  const classPath = join(await jars(), "*");
  const folder = await dataFolder("neo4j", options);
  if (options.password !== undefined) await setInitialPassword(classPath, folder.path, options.password);
  const port = await freePort();
  const java = await startProcess("java", [
    "-Xmx512m",
    ...(options.atFullSpeed === true ? [] : shortLived),
    "-cp",
    classPath,
    join(import.meta.dirname, "Start.java"),
    folder.path,
    String(port),
    String(options.password !== undefined),
  ]);
  const credentials = options.password === undefined ? "" : `neo4j:${encodeURIComponent(options.password)}@`;
  return readyServer(`bolt://${credentials}127.0.0.1:${port}`, java, folder, () =>
    askVersion(port, options.password),
  );
}

/** Only before the first start; a home that was started with a password keeps it. */
async function setInitialPassword(classPath: string, home: string, password: string): Promise<void> {
  if (await exists(join(home, "data"))) return;
  await mkdir(join(home, "conf"), { recursive: true });
  const command = ["org.neo4j.cli.AdminTool", "dbms", "set-initial-password", password];
  await run("java", [...shortLived, "-cp", classPath, ...command], {
    env: { NEO4J_HOME: home, NEO4J_CONF: join(home, "conf") },
  });
}
