import { homedir } from "node:os";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { invalidUrl } from "../url.ts";

export interface LocalConfig {
  readonly path: string;
}

export const schema: z.ZodType<LocalConfig> = z.strictObject({
  path: z
    .string()
    .min(1)
    .refine((path) => !path.includes("\0"), "a path has no NUL byte")
    .meta({
      path: true,
      examples: ["./backups"],
      description:
        "The folder. Relative paths begin at the configuration file's folder; `~/` is the home folder.",
    }),
});

/** A path, or `file:` or `local:` and a path, or a `file://` URL. `CONFIG_INVALID` when there is no path in it. */
export function fromUrl(url: string): LocalConfig {
  if (url.startsWith("file://")) return { path: pathOfFileUrl(url) };
  const path = url.replace(/^(?:file|local):/, "");
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (path.trim() === "" || /[\0-\x1F\x7F]/.test(path)) {
    throw invalidUrl(url, "it is no path of a folder", "Write a folder, such as ./backups.");
  }
  if (path === "~" || path.startsWith("~/")) return { path: resolve(homedir(), path.slice(2)) };
  if (path.startsWith("~")) {
    throw invalidUrl(
      url,
      "another user's home folder is not looked up",
      "Write the whole path, or ./~… for a folder of that name.",
    );
  }
  return { path };
}

function pathOfFileUrl(url: string): string {
  try {
    return fileURLToPath(url);
  } catch (cause) {
    throw invalidUrl(
      url,
      "it is no file:// URL of this machine",
      "Write file:///folder, or only the path.",
      cause,
    );
  }
}
