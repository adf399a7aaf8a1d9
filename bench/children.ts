/**
 * The programs that the benchmarks run as processes of their own, so that whole runs are measured: start, password,
 * index, work, end. They use the compiled package, as users do: run `npm run build` first.
 *
 * `node bench/children.ts init DIR`, `save DIR KIND < FILE`, `restore DIR TARGET`, `verify DIR`; DIR a path or a storage URL.
 */
import type * as storagesModule from "../src/storages/index.ts";
import type * as beginModule from "../src/repository/restic/begin-snapshot.ts";
import type * as openModule from "../src/repository/restic/open-repository.ts";
import type * as clockModule from "../src/util/clock/clock.ts";
import { setFlagsFromString } from "node:v8";
import { read } from "node:fs";
import { promisify } from "node:util";
import { open } from "node:fs/promises";
import type { FileKind } from "../src/domain/manifest.ts";

// As `src/cli/main.ts` does.
setFlagsFromString("--semi-space-growth-factor=1");

async function load<T>(path: string): Promise<T> {
  return (await import(`../dist/${path}`)) as T;
}
const { parseStorageUrl } = await load<typeof storagesModule>("storages/index.js");
const { systemClock } = await load<typeof clockModule>("util/clock/clock.js");
const { createRepository, openRepository } = await load<typeof openModule>(
  "repository/restic/open-repository.js",
);
const { beginSnapshot } = await load<typeof beginModule>("repository/restic/begin-snapshot.js");

const [job, folder = "", argument = ""] = process.argv.slice(2);
const place = await parseStorageUrl(folder);
const storage = await (job === "init" ? place.create() : place.open());
const access = {
  storage,
  password: process.env["RESTIC_PASSWORD"] ?? "",
  clock: systemClock,
  program: "memkeep bench",
  retryLockMs: 0,
  signal: new AbortController().signal,
};
const repository = await (job === "init" ? createRepository(access) : openRepository(access));
try {
  if (job === "save") {
    const options = { stack: "bench", run: String(Date.now()), tags: [] };
    const writer = await beginSnapshot([repository], options);
    await writer.save("file", argument as FileKind, standardInput());
    const [outcome] = await writer.commit(Date.now(), ["bench"]);
    if (!outcome!.ok) throw outcome!.error;
  } else if (job === "restore") {
    const [newest] = await repository.snapshots();
    const reader = await repository.open(newest!.id);
    await using file = await open(argument, "w");
    for await (const bytes of reader.read("file")) await file.writeFile(bytes);
    await file.sync();
  } else if (job === "verify") {
    const report = await repository.check({ data: true, signal: access.signal });
    if (report.findings.length > 0) throw new Error(report.findings[0]!.text);
  }
} finally {
  await repository.close();
}

/** As an adaptor gives its bytes: in large pieces, whose memory is used again. */
async function* standardInput(): AsyncGenerator<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(2 ** 20);
  const readInto = promisify(read);
  for (;;) {
    const { bytesRead } = await readInto(0, buffer, 0, buffer.length, null);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}
