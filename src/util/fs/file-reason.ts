/** What the operating system says of a file, in words: its own hold codes, the name of a call and the path once more. */
import { reasonOf } from "../../domain/errors.ts";
import { errnoOf } from "./durable.ts";

const words: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EACCES: "this user may not",
  EPERM: "this user may not",
  EISDIR: "it is a folder",
  ENOTDIR: "a part of the path is a file, not a folder",
  ELOOP: "its symbolic links go round in a circle",
  ENAMETOOLONG: "the name is too long",
  ENOSPC: "there is no room left on the disk",
  EROFS: "the file system is read-only",
};

/** A clause for the `happened` part of an error; what is not known as it stands. */
export function fileReason(error: unknown): string {
  return words[errnoOf(error) ?? ""] ?? reasonOf(error);
}
