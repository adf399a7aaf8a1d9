/** The sections of the configuration that belong to no adaptor. Each key says what it means: editors show it. */
import { z } from "zod";
import { nameForm, namePattern } from "../domain/name.ts";
import { Duration, Size } from "../domain/settings.ts";

export const Name = z.string().regex(namePattern, `expected ${nameForm}`);

const Count = z
  .int()
  .min(-1)
  .max(1_000_000)
  .refine((count) => count !== 0, "expected a number of snapshots, or -1 for all");

/** As restic writes spans; `domain/keep` reads it. */
const Span = z
  .string()
  .regex(/^(?=\d)(?:\d+y)?(?:\d+m)?(?:\d+d)?(?:\d+h)?$/, "expected a span such as 30d or 2y5m7d3h");

export const KeepSection = z
  .strictObject({
    last: Count.optional().meta({ description: "How many of the newest snapshots stay.", examples: [7] }),
    hourly: Count.optional().meta({
      description: "For how many hours that have one the newest snapshot stays.",
      examples: [24],
    }),
    daily: Count.optional().meta({ description: "The same for days.", examples: [14] }),
    weekly: Count.optional().meta({ description: "The same for weeks.", examples: [8] }),
    monthly: Count.optional().meta({ description: "The same for months.", examples: [12] }),
    yearly: Count.optional().meta({ description: "The same for years.", examples: [3] }),
    within: Span.optional().meta({
      description: "Everything that is not older than this before the newest stays.",
      examples: ["7d"],
    }),
    withinHourly: Span.optional().meta({
      description: "The newest of each hour stays for so long.",
      examples: ["2d"],
    }),
    withinDaily: Span.optional().meta({
      description: "The newest of each day stays for so long.",
      examples: ["1m"],
    }),
    withinWeekly: Span.optional().meta({
      description: "The newest of each week stays for so long.",
      examples: ["3m"],
    }),
    withinMonthly: Span.optional().meta({
      description: "The newest of each month stays for so long.",
      examples: ["1y"],
    }),
    withinYearly: Span.optional().meta({
      description: "The newest of each year stays for so long.",
      examples: ["10y"],
    }),
    tags: z
      .array(z.string().min(1))
      .optional()
      .meta({
        description: "Snapshots with this tag stay; `a,b` means both tags.",
        examples: [["before-upgrade"]],
      }),
  })
  .refine((keep) => Object.values(keep).some((rule) => rule !== undefined), {
    message: "expected at least one rule; with none, nothing would be kept",
  });
export type KeepSection = z.infer<typeof KeepSection>;

export const VerifyLevelName = z.enum(["stored", "decoded", "restored"]);

export const BackupSection = z.strictObject({
  to: z
    .array(Name)
    .min(1)
    .optional()
    .meta({
      description: "Names of the repositories that a backup goes to; all when absent.",
      examples: [["local", "offsite"]],
    }),
  minInterval: Duration.optional().meta({
    description:
      "A repository whose newest snapshot is younger is left alone, so that a restart does not back up again.",
    examples: ["20h"],
  }),
  keep: KeepSection.optional().meta({
    description:
      "Which snapshots stay. After a complete backup the others are forgotten; the newest proven one always stays, and nothing goes after a failed backup.",
    examples: [{ last: 7, daily: 14, weekly: 8 }],
  }),
  prune: z
    .boolean()
    .default(true)
    .describe("After snapshots were forgotten by `keep`, free their room in the same run."),
  verify: VerifyLevelName.optional().describe(
    "Prove each new snapshot in the same run: stored (every byte), decoded (every record), restored (a drill).",
  ),
  stallLimit: Duration.optional().meta({
    description:
      "With several repositories: how long one may take for a single request before it is given up and the others go on; 5m when absent.",
    examples: ["10m"],
  }),
  holdLimit: Duration.optional().meta({
    description:
      "With several repositories: how long a slow one may make the others wait, in all, before it is given up for this run (exit 3) and they go on at their own pace. What arrived there is not sent again: `memkeep copy` or the next backup goes on from it. For ever when absent.",
    examples: ["30m"],
  }),
  catchUp: z
    .boolean()
    .default(false)
    .describe(
      "After a backup, copy to each repository the snapshots that it lacks and another one has, but those that `keep` would forget there at once. One that was forgotten by name comes back while another repository has it.",
    ),
  tags: z
    .array(z.string().regex(/^[^,\s]+$/, "expected a tag without commas and blanks"))
    .optional()
    .meta({ description: "Tags that every snapshot gets.", examples: [["nightly"]] }),
});
export type BackupSection = z.infer<typeof BackupSection>;

export const CacheSection = z.strictObject({
  size: Size.prefault("512MiB").meta({
    description:
      "How much of repositories far away (indexes, snapshot files) is kept on this machine, all repositories together; `0`: nothing.",
    examples: ["2GB"],
  }),
});

const Argv = z.array(z.string()).min(1);

export const RestoreSection = z.strictObject({
  before: Argv.optional().meta({
    description:
      "A program and its arguments, run without a shell before a store is replaced in place, to stop what uses it. When it fails, nothing is touched.",
    examples: [["systemctl", "stop", "assistant"]],
  }),
  after: Argv.optional().meta({
    description: "The same at the end, whatever happened: also after a failure or an interrupt.",
    examples: [["systemctl", "start", "assistant"]],
  }),
  commandLimit: Duration.prefault("5m")
    .refine((milliseconds) => milliseconds > 0 && milliseconds <= 86_400_000, "expected 1s to 24h")
    .describe("How long each of the two may take before it is killed and counts as failed."),
});

/** What every repository has beside its storage. */
export const RepositorySection = z
  .strictObject({
    type: z.literal("restic").default("restic").describe("The format of the repository."),
    storage: z.unknown(),
    password: z
      .string()
      .min(1)
      .optional()
      .meta({
        secret: true,
        description: "The password. Better in a variable, a file or a command.",
        examples: ["${MEMORY_PASSWORD}"],
      }),
    passwordFile: z
      .string()
      .min(1)
      .optional()
      .meta({
        path: true,
        description: "A file that holds the password.",
        examples: ["/run/secrets/memkeep"],
      }),
    passwordCommand: z
      .array(z.string())
      .min(1)
      .optional()
      .meta({
        description:
          "A program and its arguments, run without a shell, that prints the password within ten seconds.",
        examples: [["pass", "show", "memkeep"]],
      }),
    retryLock: Duration.prefault("0s").describe("How long to wait while others hold the repository."),
  })
  .refine(
    ({ password, passwordFile, passwordCommand }) =>
      [password, passwordFile, passwordCommand].filter((way) => way !== undefined).length <= 1,
    { message: "expected one of password, passwordFile and passwordCommand, not several" },
  );

/** What every store has beside its adaptor's own keys. */
export const StoreSection = z.strictObject({
  type: z.string(),
  optional: z
    .boolean()
    .default(false)
    .describe("When it fails, the others are backed up nevertheless; the run is then partial (exit 3)."),
});

/** The whole file, without what adaptors add to it. */
export const RootSection = z.strictObject({
  version: z.literal(1).describe("The version of this file's format."),
  stack: Name.meta({
    description: "The name of the stack: the path of its snapshots. Changing it begins a new history.",
    examples: ["automem"],
  }),
  stores: z.record(z.string(), z.unknown()).meta({
    description: "The databases that together are one memory, by name.",
    examples: [{ memory: { type: "sqlite", path: "./memory.db" } }],
  }),
  repositories: z.record(z.string(), z.unknown()).meta({
    description: "Where snapshots live, by name.",
    examples: [{ local: { storage: "./backups" } }],
  }),
  backup: BackupSection.optional().meta({
    description: "What a backup does, and what it keeps.",
    examples: [{ minInterval: "20h", verify: "decoded" }],
  }),
  restore: RestoreSection.optional().meta({
    description: "What happens around a restore in place.",
    examples: [{ before: ["systemctl", "stop", "assistant"], after: ["systemctl", "start", "assistant"] }],
  }),
  cache: CacheSection.optional().meta({
    description: "What is kept on this machine, so that repositories far away open quickly.",
    examples: [{ size: "2GB" }],
  }),
});

/** Keys that DESIGN.md's example has and this version does not act on yet: accepting them would promise what is not done. */
export const laterKeys: Readonly<Record<string, string>> = {
  consistency: "this version does not watch consistency between stores yet; remove it",
  verify:
    "this version has no scheduler yet; run `memkeep verify` from cron or a timer, or set backup.verify",
  alerts: "this version sends no alerts yet; let cron or a timer report the exit code",
  schedule: "this version has no scheduler yet; run `memkeep backup` from cron or a timer",
};
