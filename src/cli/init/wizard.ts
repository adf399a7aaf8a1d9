/** `memkeep init` with questions. Nothing is written before the last one is answered. */
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { discover } from "../../config/discover/discover.ts";
import type { Discovery, FoundStore } from "../../config/discover/found.ts";
import type { Draft, DraftStore } from "../../config/draft/draft.ts";
import { storesFromUrls } from "../../config/draft/store-entry.ts";
import { passwordVariable } from "../../config/password.ts";
import { passwordWeakness } from "../../config/password-strength.ts";
import { isMemkeepError, MemkeepError } from "../../domain/errors.ts";
import { namePattern, nameForm } from "../../domain/name.ts";
import { parseStorageUrl } from "../../storages/index.ts";
import type { Context } from "../context.ts";
import { printable } from "../output/style.ts";
import { Asker } from "./ask.ts";
import { cancelled } from "./cancelled.ts";
import { newConfigFile, repositoryDraft, stackName, usualRepository } from "./draft-parts.ts";
import type { InitPassword, InitPlan } from "./plan.ts";

const another = "another";

/** `INTERRUPTED` when a question is cancelled. */
export async function planFromAnswers(context: Context): Promise<InitPlan> {
  const file = newConfigFile(context);
  // The library looks at the variable alone.
  if (!context.options.color) process.env["NO_COLOR"] = "1";
  const asker = new Asker(context.signal, process.stderr.columns || 80);
  asker.begin("memkeep init: from nothing to a backup that is proven");
  const folder = resolve(dirname(file));
  const found = await discover(folder, context.environment, [resolve(folder, usualRepository)]);
  for (const remark of found.remarks) asker.say(printable(remark));
  const stores = await askStores(asker, found, folder);
  const stack = await asker.text(
    "A name for this memory; its snapshots stand under it",
    stackName(stores, file),
    wrongName,
  );
  const repository = await askRepository(asker, file, found);
  const { password, passwordFile } = await askPassword(context, asker, file, repository, stack);
  const recoveryKey = await asker.yes(
    "Make a recovery key too? It opens the backups when the password is lost: for paper, in a safe place.",
  );
  const backup = await asker.yes("Take the first backup at once, and prove that it restores?");
  const where = typeof repository.storage === "string" ? repository.storage : "the bucket";
  asker.say(
    [
      `It will write ${printable(file)} and a schema for editors, make the repository ${printable(where)},`,
      ...(password.kind === "new-file" ? [`write a new password into ${printable(passwordFile!)},`] : []),
      backup ? "and back up. No database is changed." : "and back up nothing yet.",
    ].join(" "),
  );
  if (!(await asker.yes("Shall it?"))) throw cancelled();
  asker.end("Here it goes.");
  return { file, draft: { stack, stores, repository, passwordFile }, password, recoveryKey, backup };
}

function wrongName(text: string): string | undefined {
  return namePattern.test(text) ? undefined : `Write ${nameForm}.`;
}

async function askStores(asker: Asker, { stores }: Discovery, folder: string): Promise<DraftStore[]> {
  if (stores.length === 0) {
    asker.say(
      "No SQLite file lies here or below, no known variable is set, and no database answers on this machine.",
    );
  }
  const choices = stores.map((store) => ({
    value: store.name,
    label: printable(`${store.name}: ${store.where}`),
    ...(store.lacking === undefined ? {} : { hint: printable(store.lacking) }),
  }));
  const ready = stores.filter(({ lacking }) => lacking === undefined).map(({ name }) => name);
  const chosen =
    stores.length === 0
      ? [another]
      : await asker.some(
          "What belongs to this memory? (space chooses, enter goes on)",
          [...choices, { value: another, label: "another one, by path or URL" }],
          ready,
        );
  const drafts: DraftStore[] = stores.filter(({ name }) => chosen.includes(name)).map(asDraft);
  for (let more = chosen.includes(another); more; more = await asker.yes("One more?")) {
    drafts.push(await askStore(asker, folder, drafts));
  }
  return drafts;
}

function asDraft({ name, kind, entry, where }: FoundStore): DraftStore {
  return { name, kind, entry, where };
}

/** Until it is one that can stand in the file. */
async function askStore(asker: Asker, folder: string, others: readonly DraftStore[]): Promise<DraftStore> {
  for (;;) {
    const text = await asker.text(
      "A path such as ./memory.db, or a URL such as postgresql://me@host/memory",
      "",
      (given) => (given.trim() === "" ? "Write a path or a URL." : undefined),
    );
    try {
      const [store] = await storesFromUrls([text.trim()], folder);
      const taken = others.some(({ name }) => name === store!.name);
      if (!taken) return store!;
      asker.warn(
        `There is a store ${store!.name} already. Write another name before it: other=${printable(text)}`,
      );
    } catch (error) {
      if (!isMemkeepError(error)) throw error;
      asker.warn([error.message, error.next].filter(Boolean).join(". "));
    }
  }
}

async function askRepository(
  asker: Asker,
  file: string,
  { storages }: Discovery,
): Promise<Draft["repository"]> {
  const chosen = await asker.one("Where shall the backups go?", [
    { value: usualRepository, label: usualRepository, hint: "a folder here; it is lost with this disk" },
    ...storages.map(({ name, where }) => ({ value: name, label: `the bucket given ${where}` })),
    { value: another, label: "another folder, or a bucket" },
  ]);
  const storage = storages.find(({ name }) => name === chosen);
  if (storage) return { name: storage.name, storage: storage.entry };
  if (chosen === usualRepository) return repositoryDraft(file, usualRepository);
  for (;;) {
    const text = await asker.text(
      "A path such as /mnt/disk/backups, or s3:https://host/bucket/prefix",
      "",
      (given) => (given.trim() === "" ? "Write a path or a URL." : undefined),
    );
    try {
      await parseStorageUrl(text.trim());
      return repositoryDraft(file, text.trim());
    } catch (error) {
      if (!isMemkeepError(error)) throw error;
      asker.warn([error.message, error.next].filter(Boolean).join(". "));
    }
  }
}

interface PasswordAnswer {
  readonly password: InitPassword;
  readonly passwordFile: string | undefined;
}

async function askPassword(
  { environment }: Context,
  asker: Asker,
  file: string,
  { storage }: Draft["repository"],
  stack: string,
): Promise<PasswordAnswer> {
  asker.say(
    "The backups are encrypted with a password. Whoever has it can read them; if it is lost, nobody can, not even you, and nobody can help.",
  );
  const variable = passwordVariable(environment);
  if (variable !== undefined) {
    asker.say(`The password comes from ${variable}.`);
    return { password: { kind: "found" }, passwordFile: undefined };
  }
  const folder = dirname(file);
  if (typeof storage === "string" && existsSync(resolve(folder, storage, "config"))) {
    const password = await asker.password(
      `There is a repository at ${printable(storage)} already. Its password:`,
    );
    return { password: { kind: "typed", password }, passwordFile: undefined };
  }
  const path = `~/.config/memkeep/${stack}.password`;
  const whole = join(homeOf(environment), ".config", "memkeep", `${stack}.password`);
  const way = await asker.one("How shall memkeep get it?", [
    {
      value: "file",
      label: existsSync(whole) ? `from ${path}, which is there` : `make one, into ${path}`,
      hint: "only you can read it; works from cron",
    },
    { value: "typed", label: "I type it now, and each time", hint: "or set MEMKEEP_PASSWORD" },
  ]);
  if (way === "file") {
    const password: InitPassword = existsSync(whole) ? { kind: "found" } : { kind: "new-file", path: whole };
    return { password, passwordFile: path };
  }
  return { password: { kind: "typed", password: await askNewPassword(asker) }, passwordFile: undefined };
}

function homeOf(environment: Context["environment"]): string {
  const home = environment["HOME"] ?? "";
  if (home !== "") return home;
  throw new MemkeepError("USAGE", { tried: "find your own folder", happened: "HOME is not set" });
}

async function askNewPassword(asker: Asker): Promise<string> {
  for (;;) {
    const password = await asker.password("A new password:");
    const weakness = passwordWeakness(password);
    if (weakness !== undefined) {
      asker.warn(`It ${weakness}: whoever gets the backups could guess it.`);
      if (!(await asker.yes("Use it nevertheless?"))) continue;
    }
    if ((await asker.password("The same again:")) === password) return password;
    asker.warn("These are two different passwords.");
  }
}
