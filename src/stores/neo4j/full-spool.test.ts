/** A spool folder whose disk fills up while a file is written. Needs the right to mount, as the root of CI has it. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { StoreManifest } from "../../domain/manifest.ts";
import { OrderFile } from "../format/order-file.ts";
import { SpoolDump } from "./spool-dump.ts";

const place = mkdtempSync(join(tmpdir(), "memkeep-full-spool-"));

function run(command: string, args: readonly string[]): void {
  execFileSync(command, args, { stdio: "ignore" });
}

function mayMount(): boolean {
  try {
    run("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", place]);
    return true;
  } catch {
    return false;
  }
}

const isMounted = mayMount();
afterAll(() => {
  if (isMounted) run("umount", [place]);
  rmSync(place, { recursive: true, force: true });
});

const full = { code: "SPACE_LOW", message: expect.stringContaining("no room left on that disk") };

describe.skipIf(!isMounted)("a full spool disk is told as that", () => {
  it("by a dump that is kept for the way back", async () => {
    await using dump = await SpoolDump.create(join(place, "dump"), {} as StoreManifest);
    async function* twoMegabytes(): AsyncGenerator<Uint8Array> {
      for (let piece = 0; piece < 8; piece++) yield Buffer.alloc(256 * 1024);
    }
    await expect(dump.file("nodes", "records", twoMegabytes())).rejects.toMatchObject(full);
  });

  it("by the order of records that were sorted", async () => {
    await using order = await OrderFile.create(join(place, "order"));
    for (let record = 0; record < 200_000; record++) order.add(0, record);
    await expect(order.flush()).rejects.toMatchObject(full);
  });
});
