import { MemkeepError } from "../../domain/errors.ts";
import type { ErrorCode } from "../../domain/errors.ts";
import { reasonOf } from "../../domain/errors.ts";
import { errnoOf } from "../../util/fs/durable.ts";

interface Meaning {
  code: ErrorCode;
  happened: string;
  next?: string;
}

const full: Meaning = {
  code: "STORAGE_FULL",
  happened: "there is no room left on the disk",
  next: "Make room, or run `memkeep forget` and `memkeep prune`.",
};
const denied: Meaning = {
  code: "STORAGE_DENIED",
  happened: "permission was denied",
  next: "Give the user that runs memkeep access to the folder, or run it as the folder's owner.",
};

const meanings: Readonly<Record<string, Meaning>> = {
  ENOSPC: full,
  EDQUOT: { ...full, happened: "the user's disk quota is used up" },
  EACCES: denied,
  EPERM: denied,
  EROFS: { code: "STORAGE_READ_ONLY", happened: "the file system is read-only" },
  EIO: {
    code: "STORAGE_FAILED",
    happened: "the disk reported an input/output error",
    next: "Check the disk.",
  },
  EFBIG: {
    code: "STORAGE_FAILED",
    happened: "the file system or a limit of the process refuses files of this size",
  },
  EEXIST: { code: "STORAGE_FAILED", happened: "it is a file, not a folder", next: "Give another path." },
  ENOTDIR: {
    code: "STORAGE_FAILED",
    happened: "a part of the path is a file, not a folder",
    next: "Give another path.",
  },
  ELOOP: { code: "STORAGE_FAILED", happened: "its symbolic links go round in a circle" },
};

/** The `MemkeepError` for what the operating system said. `tried` names the folder and the entry. */
export function fileFailure(error: unknown, tried: string): MemkeepError {
  if (error instanceof MemkeepError) return error;
  const meaning = meanings[errnoOf(error) ?? ""] ?? { code: "STORAGE_FAILED", happened: reasonOf(error) };
  const { code, ...words } = meaning;
  return new MemkeepError(code, { tried, ...words, cause: error });
}
