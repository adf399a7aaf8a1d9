/** All commands: one line each, loaded only when used, so that `memkeep --help` starts at once. */
import type { CommandModule } from "./command.ts";

export interface CommandEntry {
  readonly name: string;
  /** A clause for the list of commands. */
  readonly summary: string;
  /** Heading in the list of commands. */
  readonly group: string;
  /** For programs: not in the list of commands. */
  readonly hidden?: boolean;
  readonly load: () => Promise<{ readonly command: CommandModule }>;
}

export interface CommandGroup {
  readonly name: string;
  readonly summary: string;
  readonly group: string;
  readonly commands: readonly CommandEntry[];
}

const daily = "Every day:";
const look = "Look into a snapshot:";
const stores = "Care for the stores:";
const care = "Care for a repository:";
const setUp = "Set up:";

export const commandTable: readonly (CommandEntry | CommandGroup)[] = [
  {
    name: "demo",
    summary: "watch a memory being backed up, damaged, restored and proven",
    group: setUp,
    load: () => import("./commands/demo.ts"),
  },
  {
    name: "init",
    summary: "set everything up, or make a repository",
    group: setUp,
    load: () => import("./commands/init.ts"),
  },
  {
    name: "completion",
    summary: "print the script with which a shell completes commands, options and names",
    group: setUp,
    load: () => import("./commands/completion.ts"),
  },
  {
    name: "complete",
    summary: "what could be the last word: for the scripts of `memkeep completion`",
    group: setUp,
    hidden: true,
    load: () => import("./commands/complete.ts"),
  },
  {
    name: "doctor",
    summary: "reach every store and repository, and say what is wrong",
    group: setUp,
    load: () => import("./commands/doctor.ts"),
  },
  {
    name: "config",
    summary: "check the configuration and show what it means",
    group: setUp,
    commands: [
      {
        name: "check",
        summary: "say whether the configuration is right",
        group: setUp,
        load: () => import("./commands/config-check.ts"),
      },
      {
        name: "print",
        summary: "show the configuration, each value with where it comes from",
        group: setUp,
        load: () => import("./commands/config-print.ts"),
      },
      {
        name: "schema",
        summary: "print the JSON Schema that editors read",
        group: setUp,
        load: () => import("./commands/config-schema.ts"),
      },
    ],
  },
  {
    name: "backup",
    summary: "take a snapshot of all stores",
    group: daily,
    load: () => import("./commands/backup.ts"),
  },
  {
    name: "status",
    summary: "say whether everything can be brought back, and how old it would be",
    group: daily,
    load: () => import("./commands/status.ts"),
  },
  {
    name: "snapshots",
    summary: "list the snapshots, newest first",
    group: daily,
    load: () => import("./commands/snapshots.ts"),
  },
  {
    name: "verify",
    summary: "prove that a snapshot is whole, decodes, and restores",
    group: daily,
    load: () => import("./commands/verify.ts"),
  },
  {
    name: "restore",
    summary: "bring stores back: shows its plan, does it with --apply",
    group: daily,
    load: () => import("./commands/restore.ts"),
  },
  {
    name: "ls",
    summary: "list the files of a snapshot",
    group: look,
    load: () => import("./commands/ls.ts"),
  },
  {
    name: "cat",
    summary: "print a file of a snapshot",
    group: look,
    load: () => import("./commands/cat.ts"),
  },
  {
    name: "export",
    summary: "write a snapshot's files into a folder, with checksums",
    group: look,
    load: () => import("./commands/export.ts"),
  },
  {
    name: "maintain",
    summary: "care for the databases: says what a store offers, does it with --apply",
    group: stores,
    load: () => import("./commands/maintain.ts"),
  },
  {
    name: "copy",
    summary: "bring a repository up to date with another one",
    group: care,
    load: () => import("./commands/copy.ts"),
  },
  {
    name: "forget",
    summary: "remove snapshots that no rule keeps, or that you name",
    group: care,
    load: () => import("./commands/forget.ts"),
  },
  {
    name: "prune",
    summary: "free the room of what no snapshot uses",
    group: care,
    load: () => import("./commands/prune.ts"),
  },
  {
    name: "unlock",
    summary: "remove locks whose holders are gone",
    group: care,
    load: () => import("./commands/unlock.ts"),
  },
  {
    name: "keys",
    summary: "passwords of a repository: several, a recovery key, a new one",
    group: care,
    commands: [
      {
        name: "list",
        summary: "show who made which key, and when",
        group: care,
        load: () => import("./commands/keys-list.ts"),
      },
      {
        name: "add",
        summary: "add a password, or a recovery key for the safe",
        group: care,
        load: () => import("./commands/keys-add.ts"),
      },
      {
        name: "remove",
        summary: "let a password open the repository no more",
        group: care,
        load: () => import("./commands/keys-remove.ts"),
      },
      {
        name: "passwd",
        summary: "replace the password in use by a new one",
        group: care,
        load: () => import("./commands/keys-passwd.ts"),
      },
    ],
  },
  {
    name: "repository",
    summary: "size, check and repair of a repository",
    group: care,
    commands: [
      {
        name: "stats",
        summary: "show how large it is, what made it grow, what a prune would free",
        group: care,
        load: () => import("./commands/repository-stats.ts"),
      },
      {
        name: "check",
        summary: "find what is wrong in a repository",
        group: care,
        load: () => import("./commands/repository-check.ts"),
      },
      {
        name: "repair",
        summary: "rebuild what can be rebuilt",
        group: care,
        load: () => import("./commands/repository-repair.ts"),
      },
    ],
  },
];
