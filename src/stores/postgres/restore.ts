/** Restores into a database beside the target, which then takes the target's name. */
import { rm } from "node:fs/promises";
import { MemkeepError } from "../../domain/errors.ts";
import type { CollectionFacts } from "../../domain/manifest.ts";
import type { DumpSource, Restoration, RestoreOptions, RestorePlan, SwitchOutcome } from "../store.ts";
import { type LoadOptions, allSections, contentsOf, loadSection } from "./archive-loader.ts";
import { openSession } from "./client.ts";
import { withDatabase } from "./connection.ts";
import { propertyStatements, readProperties } from "./database-settings.ts";
import { failure } from "./failure.ts";
import { liveFacts } from "./live-facts.ts";
import { createScratch, dropMarked, datedName, markedDatabases, scratchName } from "./marked-databases.ts";
import { quoteName } from "./names.ts";
import { MergeRestoration } from "./merge.ts";
import { planMerge } from "./merge-plan.ts";
import { type PlannedRestore, planDatabaseRestore } from "./restore-plan.ts";
import { applyGlobals } from "./globals.ts";
import { expectedFacts, selectEntries } from "./selection.ts";
import { type Swap, swapBack, swapDatabases, undoCommand } from "./swap.ts";
import { spoolArchive } from "./spooled-archive.ts";
import { tellIndexBuilds } from "./index-progress.ts";
import { chooseEntries } from "./toc-list.ts";
import { TransactionRestoration } from "./transaction.ts";
import type { Surroundings } from "./view.ts";

/** See `Store.stage`. */
export async function stageRestore(
  plan: RestorePlan,
  source: DumpSource,
  options: RestoreOptions,
  surroundings: Surroundings,
): Promise<Restoration> {
  const merge = options.mode === "merge" ? await planMerge(source, options, surroundings) : undefined;
  const planned = merge ?? (await planDatabaseRestore(source, options, surroundings));
  if (planned.plan.basis !== plan.basis || planned.plan.destination !== plan.destination) {
    throw new MemkeepError("PLAN_STALE", {
      tried: `restore to ${plan.destination}`,
      happened: "the server or the database has changed since the plan was made",
      next: "Look at a new plan: run the command again.",
    });
  }
  const inTheWay = planned.plan.obstacles.find(({ overridable }) => !overridable || !options.force);
  if (inTheWay) {
    throw new MemkeepError("TARGET_IN_USE", {
      tried: `restore to ${plan.destination}`,
      happened: inTheWay.text,
      ...(inTheWay.overridable ? { next: "Remove it, or add --force to go on all the same." } : {}),
    });
  }
  const restoration =
    "merged" in planned
      ? new MergeRestoration(planned, source, surroundings)
      : planned.method === "beside"
        ? new BesideRestoration(planned, surroundings)
        : new TransactionRestoration(planned, surroundings);
  try {
    if (!("merged" in planned) && planned.globals) await applyGlobals(source, planned, surroundings);
    await restoration.load(source);
    return restoration;
  } catch (error) {
    await restoration[Symbol.asyncDispose]();
    throw failure("restore into", error, planned.target.connection);
  }
}

class BesideRestoration implements Restoration {
  readonly comparable = "before-switch";
  readonly #planned: PlannedRestore;
  readonly #surroundings: Surroundings;
  readonly #scratch: string = scratchName();
  #swap: Swap | undefined;
  #expected: readonly CollectionFacts[] = [];
  /** Where the restored database is: beside, or in the target's place. */
  #state: "beside" | "in-place" | "named" | "ended" = "beside";

  constructor(planned: PlannedRestore, surroundings: Surroundings) {
    this.#planned = planned;
    this.#surroundings = surroundings;
  }

  async load(source: DumpSource): Promise<void> {
    const { target, situation, settings, tools, tables, withoutOwners, withoutTablespaces, only } =
      this.#planned;
    const { context, config } = this.#surroundings;
    const contents = await contentsOf(source, tables.contentsBytes);
    const selection = only && selectEntries(contents, only, true);
    const { collections } = source.manifest;
    this.#expected = selection ? expectedFacts(contents, selection, collections) : collections;
    {
      await using maintenance = await openSession(target.maintenance, config, context);
      await createScratch(maintenance, this.#scratch, settings, situation.serverMajor, context);
    }
    const options: LoadOptions = {
      tools,
      serverMajor: situation.serverMajor,
      contentsBytes: tables.contentsBytes,
      entries: chooseEntries(contents, {
        selected: selection?.entries,
        isSuperuser: situation.isSuperuser,
        isScratch: target.kind === "scratch",
        there: { extensions: new Set(), schemas: new Set() },
      }),
      withoutOwners,
      withoutTablespaces,
      spooled: await spoolArchive(source, this.#surroundings),
    };
    const place = withDatabase(target.connection, this.#scratch);
    for (const section of allSections) {
      context.signal.throwIfAborted();
      context.observer.step(context.name, `restoring ${section} into ${this.#scratch}`);
      const load = (): Promise<void> => loadSection(section, place, source, options, this.#surroundings);
      if (section === "post-data") await tellIndexBuilds(place, this.#surroundings, load);
      else await load();
    }
    if (options.spooled !== undefined) await rm(options.spooled, { force: true });
  }

  get expected(): readonly CollectionFacts[] {
    return this.#expected;
  }

  facts(): Promise<readonly CollectionFacts[]> {
    const { tools, target } = this.#planned;
    const name = this.#state === "beside" ? this.#scratch : target.connection.database;
    return liveFacts(withDatabase(target.connection, name), tools, this.#surroundings);
  }

  async switch(): Promise<SwitchOutcome> {
    const { target, situation, settings } = this.#planned;
    const { context, config } = this.#surroundings;
    const name = target.connection.database;
    await using maintenance = await openSession(target.maintenance, config, context);
    // They belong to the name that programs know: those of the database that has it now come before the dump's.
    const properties = (await readProperties(maintenance, name)) ?? settings.properties;
    const { statements, leftOut } = propertyStatements(
      this.#scratch,
      properties,
      new Set(situation.roles.keys()),
    );
    const warnings = leftOut.map((what) => `not set on the database: ${what}`);
    if (situation.database) {
      // A transaction, so that a statement that fails leaves the switch undone.
      await maintenance.run(["BEGIN", ...statements, "COMMIT"].join(";"));
      const nowMs = context.clock.now();
      const swap = {
        target: name,
        next: this.#scratch,
        aside: datedName(name, "before", nowMs),
        undone: datedName(name, "undone", nowMs),
      };
      this.#swap = swap;
      await swapDatabases(maintenance, swap, context);
      this.#state = "in-place";
      const previous = { location: `the database ${swap.aside}`, undo: undoCommand(maintenance, swap) };
      return { previous, warnings };
    }
    await maintenance.run(
      [
        "BEGIN",
        ...statements,
        `ALTER DATABASE ${quoteName(this.#scratch)} RESET "memkeep"."scratch"`,
        `ALTER DATABASE ${quoteName(this.#scratch)} RENAME TO ${quoteName(name)}`,
        "COMMIT",
      ].join(";"),
    );
    this.#state = "named";
    return { warnings };
  }

  async rollBack(): Promise<void> {
    const { target } = this.#planned;
    const { context, config } = this.#surroundings;
    await using maintenance = await openSession(target.maintenance, config, context);
    if (this.#state === "in-place") {
      await swapBack(maintenance, this.#swap!, context);
      this.#state = "beside";
    } else if (this.#state === "named") {
      await maintenance.run(
        `ALTER DATABASE ${quoteName(target.connection.database)} RENAME TO ${quoteName(this.#scratch)};
         ALTER DATABASE ${quoteName(this.#scratch)} SET "memkeep"."scratch" TO 'rolled back'`,
      );
      this.#state = "beside";
    }
  }

  /** The database that this restore replaced stays, unless it is to be discarded; those of earlier ones go. */
  async keep(): Promise<void> {
    const { target, discardOld } = this.#planned;
    const { context, config } = this.#surroundings;
    if (this.#state === "in-place") {
      await using maintenance = await openSession(target.maintenance, config, context);
      for (const { name, mark, text } of await markedDatabases(maintenance)) {
        const isOurs = mark === "kept" && text.startsWith(`${target.connection.database} `);
        if (isOurs && (discardOld || name !== this.#swap?.aside)) await dropMarked(maintenance, name, "kept");
      }
    }
    this.#state = "ended";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state !== "beside") return;
    this.#state = "ended";
    // The run may have been interrupted: what is scratch goes all the same.
    const context = { ...this.#surroundings.context, signal: new AbortController().signal };
    await using maintenance = await openSession(
      this.#planned.target.maintenance,
      this.#surroundings.config,
      context,
    );
    await dropMarked(maintenance, this.#scratch, "scratch");
  }
}
