import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { homedir } from "node:os";
import { promisify } from "node:util";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MemkeepError } from "../domain/errors.ts";
import { parseStorageUrl, storageKinds } from "./index.ts";
import { printableUrl } from "./url.ts";

/** Folders here that are no kind of storage. */
const rooms = ["contract", "decorators"];

describe("the registry of storages", () => {
  it("has every folder, and every folder has its set of files", async () => {
    const here = new URL(".", import.meta.url);
    const folders = (await readdir(here, { withFileTypes: true })).filter((entry) => entry.isDirectory());
    const kinds = folders.map(({ name }) => name).filter((name) => !rooms.includes(name));

    expect(storageKinds.map(({ kind }) => kind).sort()).toEqual(kinds.sort());
    for (const kind of kinds) {
      const files = await readdir(new URL(`${kind}/`, here));
      expect(files).toEqual(expect.arrayContaining(["index.ts", "config.ts", "storage.ts", "readme.md"]));
      expect(
        files.some((file) => file.endsWith(".test.ts")),
        `tests of ${kind}`,
      ).toBe(true);
    }
  });

  it("gives every URL scheme to one kind", () => {
    const schemes = storageKinds.flatMap(({ schemes }) => schemes);
    expect(new Set(schemes).size).toBe(schemes.length);
  });

  it("loads a client library only when its storage is opened", async () => {
    const script = `
      const { parseStorageUrl } = await import(${JSON.stringify(new URL("index.ts", import.meta.url).href)});
      const { createRequire } = await import("node:module");
      const loaded = () => Object.keys(createRequire("/").cache).some((path) => path.includes("@aws-sdk"));
      const bucket = await parseStorageUrl("s3:https://s3.example.com/bucket");
      await (await parseStorageUrl(".")).open();
      const before = loaded();
      await bucket.open();
      console.log(before, loaded());`;

    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script]);

    expect(stdout).toBe("false true\n");
  });
});

describe("parseStorageUrl", () => {
  it.each([
    ["./backups", "./backups"],
    ["/srv/backups", "/srv/backups"],
    ["backups", "backups"],
    ["../a b/ä", "../a b/ä"],
    ["file:./backups", "./backups"],
    ["file:/srv/backups", "/srv/backups"],
    ["file:///srv/my%20backups", "/srv/my backups"],
    ["local:/srv/backups", "/srv/backups"],
    ["~/backups", `${homedir()}/backups`],
    ["C:\\backups", "C:\\backups"],
    ["./sftp:odd", "./sftp:odd"],
    ["./a@b?c", "./a@b?c"],
  ])("takes %s for a folder", async (url, path) => {
    expect(await parseStorageUrl(url)).toMatchObject({ kind: "local", config: { path } });
  });

  it.each([
    ["", "no path"],
    ["file:", "no path"],
    ["  ", "no path"],
    ["a\0b", "no path"],
    ["line\nbreak", "no path"],
    ["file://host/share", "no file:// URL of this machine"],
    ["~other/backups", "another user"],
    ["https://s3.example.com/bucket", "web address"],
    ["sftp:user@host:/srv", "no kind of storage for sftp:"],
    ["backups:old", "no kind of storage for backups:"],
  ])("refuses %j in words", async (url, words) => {
    await expect(parseStorageUrl(url)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining(words) as string,
      next: expect.any(String) as string,
    });
  });

  it("law 12: any text is a place or CONFIG_INVALID", async () => {
    const text = fc.oneof(
      fc.webUrl(),
      fc.string({ unit: "binary" }),
      fc.string().map((rest) => `file:${rest}`),
    );
    await fc.assert(
      fc.asyncProperty(text, async (url) => {
        try {
          expect(typeof (await parseStorageUrl(url)).kind).toBe("string");
        } catch (error) {
          expect(error).toBeInstanceOf(MemkeepError);
          expect(error).toMatchObject({ code: "CONFIG_INVALID" });
        }
      }),
    );
  });

  it("law 10: repeats no secret of a URL that it refuses", async () => {
    const urls = [
      "sftp:user:SECRET@host:/srv",
      "https://key:SE/SECRET@x@host/b",
      "rest:https://u:SECRET?x@host/b",
    ];
    const queries = ["https://host/bucket?X-Amz-Signature=SECRET", "ftp://host/#SECRET"];
    for (const url of [...urls, ...queries]) {
      const error = await parseStorageUrl(url).catch((error: unknown) => error);
      expect(error).toBeInstanceOf(MemkeepError);
      expect(JSON.stringify([error, String(error), (error as MemkeepError).next])).not.toContain("SECRET");
    }
    expect(printableUrl("s3:https://key:SECRET@host/bucket/prefix")).toBe(
      "s3:https://***@host/bucket/prefix",
    );
    expect(printableUrl(`./${"x".repeat(999)}`).length).toBe(200);
    expect(printableUrl("a\u001b[31mb")).not.toContain("\u001b");
  });

  it("refuses a configuration that the kind's schema refuses", async () => {
    const local = storageKinds.find(({ kind }) => kind === "local");
    await expect(local?.fromConfig({ path: "./x", pth: 1 })).rejects.toMatchObject({
      code: "CONFIG_INVALID",
    });
    await expect(local?.fromConfig({ path: "" })).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    expect((await local?.fromConfig({ path: "./x" }))?.config).toEqual({ path: "./x" });
  });
});
