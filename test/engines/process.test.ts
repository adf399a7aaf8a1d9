import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";

import { expect, test } from "vitest";

import { freePort } from "./free-port.ts";
import { startProcess } from "./process.ts";
import { untilReady } from "./ready.ts";

const server = (port: number): string => `require("node:net").createServer().listen(${port}, "127.0.0.1")`;

async function connected(port: number): Promise<ReturnType<typeof connect>> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  return socket;
}

// Elsewhere nothing can be done about a test process that dies by SIGKILL.
test.skipIf(process.platform !== "linux").for(["SIGKILL", "SIGTERM"] as const)(
  "a server ends with the process that started it, by %s",
  async (signal) => {
    const port = await freePort();
    const script = `
      import { startProcess } from ${JSON.stringify(join(import.meta.dirname, "process.ts"))};
      import { untilReady } from ${JSON.stringify(join(import.meta.dirname, "ready.ts"))};
      const server = await startProcess(process.execPath, ["-e", ${JSON.stringify(server(port))}]);
      const { connect } = await import("node:net");
      await untilReady(server, () => new Promise((resolve, reject) => {
        connect(${port}, "127.0.0.1").on("connect", resolve).on("error", reject).unref();
      }));
      console.log("ready");
      setInterval(() => {}, 1000);`;
    const starter = spawn(process.execPath, ["--input-type=module-typescript", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(starter.stdout, "data");
    const socket = await connected(port);
    // The server keeps its connections for as long as it lives.
    const gone = new Promise((resolve) => socket.on("error", resolve).on("close", resolve));
    starter.kill(signal);
    await gone;
  },
);

test("stop ends a server, and may be called again", async () => {
  const port = await freePort();
  await using stack = new AsyncDisposableStack();
  const started = await startProcess(process.execPath, ["-e", server(port)]);
  stack.defer(() => started.stop());
  await untilReady(started, async () => (await connected(port)).destroy());
  await started.stop();
  await started.stop();
  expect(started.isRunning()).toBe(false);
});

test("a server that ends before it is ready is told with its own words", async () => {
  const started = await startProcess(process.execPath, [
    "-e",
    "console.error('no such module'); process.exit(3)",
  ]);
  await expect(untilReady(started, () => connected(1))).rejects.toThrow(
    /ended before it was ready: .*no such module/s,
  );
});
