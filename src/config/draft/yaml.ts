/** Writes a draft as a file for people: commented, with the line by which editors find the schema. */
import type { Entry, EntryValue } from "../discover/found.ts";
import type { Draft, DraftStore } from "./draft.ts";

/** Beside the file; editors complete and check with it. */
export const schemaFile = "memkeep.schema.json";

/** Ends with a line break. Every text in it is quoted where YAML could read something else (law 12). */
export function draftYaml(draft: Draft): string {
  return `# yaml-language-server: $schema=./${schemaFile}
# Made by \`memkeep init\`; it is yours to change. \`memkeep config check\` tells what is wrong in it.
# \${NAME} is a variable of the environment, \${NAME:-x} one with a default: no secret stands in this file.
version: 1

# The name of the whole memory: its snapshots stand under it. Another name begins a new history.
stack: ${scalar(draft.stack)}

# The databases that together are this memory. A backup takes all of them as one recovery point.
stores:
${draft.stores.map(storeText).join("\n")}

# Where snapshots live. A second one on another machine survives the loss of this one:
#   offsite: { storage: "s3:https://s3.example.com/bucket/memkeep" }
repositories:
  ${draft.repository.name}:
${storageText(draft.repository.storage)}
${passwordText(draft.passwordFile)}

backup:
  # After a complete backup, snapshots that no rule keeps are forgotten; the newest proven one always stays.
  keep: { last: 7, daily: 14, weekly: 8, monthly: 12 }
  # Each new snapshot is read back at once, record by record. \`memkeep verify --level restored\` is a drill.
  verify: decoded
  # With this, a backup that is started again (by a restart, by cron) does nothing while the newest one is younger.
  # minInterval: 20h
`;
}

function storeText({ name, kind, entry, where }: DraftStore): string {
  const lines = Object.entries(entry).map(([key, value]) => `    ${key}: ${valueText(value)}`);
  const comment = where === undefined ? [] : [`  # ${commentText(where)}`];
  return [...comment, `  ${name}:`, `    type: ${kind}`, ...lines].join("\n");
}

function storageText(storage: string | Entry): string {
  if (typeof storage === "string") return `    storage: ${scalar(storage)}`;
  const lines = Object.entries(storage).map(([key, value]) => `      ${key}: ${valueText(value)}`);
  return ["    storage:", ...lines].join("\n");
}

function passwordText(file: string | undefined): string {
  return file === undefined
    ? `    # The password comes from MEMKEEP_PASSWORD, MEMKEEP_PASSWORD_FILE or MEMKEEP_PASSWORD_COMMAND, or is asked for.
    # For cron: a file that only you may read (chmod 600), and its path here.
    # passwordFile: ~/.config/memkeep/password`
    : `    # Only you may read this file. Without the password nobody can read the backups: keep a copy elsewhere.
    passwordFile: ${scalar(file)}`;
}

function valueText(value: EntryValue): string {
  return typeof value === "string" ? scalar(value) : `[${value.map(scalar).join(", ")}]`;
}

/** Words that are nothing but a text in YAML stand as they are; all else is quoted, with escapes for what is not printed. */
function scalar(text: string): string {
  if (
    /^[A-Za-z.~/][A-Za-z0-9._~/-]*$/.test(text) &&
    !/^(~|true|false|null|yes|no|on|off|\.inf|\.nan)$/i.test(text)
  ) {
    return text;
  }
  return JSON.stringify(text).replaceAll(
    /[\u007F-\u00A0\u2028\u2029\uFEFF\uFFFE\uFFFF]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** A path may hold a line break, which would end the comment. */
function commentText(text: string): string {
  return text.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, "\uFFFD");
}
