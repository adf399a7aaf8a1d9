import { mkdtemp, mkdir, realpath, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { mountOf, nearestReal, parseMounts, readMounts } from "./mounts.ts";

/** As a container of a platform sees it: its own layer, and one volume. */
const container = parseMounts(
  [
    "1000 900 0:60 / / rw,relatime master:300 - overlay overlay rw,lowerdir=/l:/m,upperdir=/u",
    "1001 1000 0:62 / /proc rw,nosuid shared:5 master:7 - proc proc rw",
    "1002 1000 253:1 /v/1 /app/data rw,relatime - ext4 /dev/vdb rw",
    "1003 1000 0:70 / /dev/shm rw - tmpfs shm rw",
    "1004 1000 253:2 / /media/my\\040disk rw - xfs /dev/vdc rw",
    "",
  ].join("\n"),
);

test.each([
  ["/app/data/memory.db", "ext4"],
  ["/app/data", "ext4"],
  ["/app/database/memory.db", "overlay"],
  ["/root/backups", "overlay"],
  ["/dev/shm/x", "tmpfs"],
  ["/media/my disk/backups", "xfs"],
])("%s is on %s", (path, type) => {
  expect(mountOf(path, container)?.type).toBe(type);
});

test("of two mounts at one place, the later one is seen", () => {
  const again = [...container, { mountPoint: "/app/data", type: "nfs4" }];
  expect(mountOf("/app/data/x", again)?.type).toBe("nfs4");
});

test("a system that does not tell is no error", async () => {
  expect(await readMounts("/nowhere/mountinfo")).toEqual([]);
});

test("a path that is not there yet is where its nearest parent really is", async () => {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "memkeep-mounts-")));
  try {
    await mkdir(join(folder, "real"));
    await symlink(join(folder, "real"), join(folder, "link"));
    expect(await nearestReal(join(folder, "link", "not", "yet"))).toBe(join(folder, "real"));
  } finally {
    await rm(folder, { recursive: true });
  }
});
