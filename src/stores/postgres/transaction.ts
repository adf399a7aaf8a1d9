/**
 * Restores over a database in one transaction, for roles that may not create another one beside it. pg_restore writes
 * its script into a psql that stays: the tables are read back and compared in the same transaction, and only then is it
 * committed. Whatever fails before, also the end of this process, leaves everything as it was.
 */
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { MemkeepError } from "../../domain/errors.ts";
import type { CollectionFacts } from "../../domain/manifest.ts";
import { feed, startProgram } from "../../util/exec/program.ts";
import type { DumpSource, Restoration, SwitchOutcome } from "../store.ts";
import { contentsOf, loadSettings, refuseFailed, restoreArguments } from "./archive-loader.ts";
import type { ArchiveContents } from "./archive/contents.ts";
import { sequenceFacts, sequenceValues, sequences } from "./archive/digest-archive.ts";
import { LargeObjectDigester, largeObjects } from "./archive/digest-large-objects.ts";
import { RowDigester } from "./archive/digest-rows.ts";
import { rowShape } from "./canonical-row.ts";
import { childEnvironment } from "./child-environment.ts";
import { checkedBytes } from "./decode.ts";
import { Psql, psqlArguments } from "./psql.ts";
import { dropStatements } from "./drop-statements.ts";
import { quoteName, quoteTable } from "./names.ts";
import type { PlannedRestore } from "./restore-plan.ts";
import { withoutCommit, withoutNewSettings } from "./script.ts";
import { chooseEntries } from "./toc-list.ts";
import { type Selection, expectedFacts, selectEntries } from "./selection.ts";
import { toolPath } from "./tools.ts";
import type { Surroundings } from "./view.ts";
import { archiveFile } from "./dump-files.ts";

export class TransactionRestoration implements Restoration {
  readonly comparable = "before-switch";
  readonly #planned: PlannedRestore;
  readonly #surroundings: Surroundings;
  #contents: ArchiveContents | undefined;
  #selection: Selection | undefined;
  #expected: readonly CollectionFacts[] | undefined;
  #psql: Psql | undefined;
  #isCommitted = false;

  constructor(planned: PlannedRestore, surroundings: Surroundings) {
    this.#planned = planned;
    this.#surroundings = surroundings;
  }

  async load(source: DumpSource): Promise<void> {
    const { target, situation, tools, tables, withoutOwners, withoutTablespaces } = this.#planned;
    const { context, environment } = this.#surroundings;
    const contents = (this.#contents = await contentsOf(source, tables.contentsBytes));
    const { only } = this.#planned;
    this.#selection = only && selectEntries(contents, only, false);
    this.#expected = this.#selection
      ? expectedFacts(contents, this.#selection, source.manifest.collections)
      : source.manifest.collections;
    const entries = chooseEntries(contents, {
      selected: this.#selection?.entries,
      isSuperuser: situation.isSuperuser,
      isScratch: false,
      there: situation.database ?? { extensions: new Set(), schemas: new Set() },
    });
    const list = join(context.spoolFolder, `${context.name}.list`);
    await writeFile(list, entries.map((id) => `${id};\n`).join(""), { mode: 0o600 });
    const env = childEnvironment(target.connection, environment, loadSettings(this.#surroundings));
    const { signal } = context;
    context.observer.step(context.name, `restoring into ${target.connection.database} in one transaction`);
    try {
      const psql = (this.#psql = new Psql(
        await startProgram(toolPath(tools, "psql"), psqlArguments(target.connection.database), {
          env,
          signal,
        }),
        () => this.#refuseEnded(),
      ));
      const args = restoreArguments({ withoutOwners, withoutTablespaces }, [
        "--single-transaction",
        "--file=-",
        `--use-list=${list}`,
      ]);
      await using writer = await startProgram(toolPath(tools, "pg_restore"), args, { env, signal });
      await psql.say(["BEGIN", ...guard, ...dropStatements(contents, entries), ""].join(";\n"));
      await Promise.all([
        feed(writer, checkedBytes(source, archiveFile)),
        psql.run(withoutCommit(withoutNewSettings(writer.stdout))).finally(() => writer.stdout.destroy()),
      ]);
      await refuseFailed(writer, "pg_restore", target.connection, this.#surroundings);
    } finally {
      await rm(list, { force: true });
    }
  }

  get expected(): readonly CollectionFacts[] {
    return this.#expected!;
  }

  async facts(): Promise<readonly CollectionFacts[]> {
    const chosen = this.#selection?.tables;
    const tables = this.#planned.tables.tables.filter(({ name }) => chosen?.has(name) !== false);
    const psql = this.#psql!;
    const facts: CollectionFacts[] = [];
    for (const { name, schema, table, columns, integers, key } of tables) {
      const list = columns.map(quoteName).join(", ");
      const shape = rowShape(
        columns.map((column) => ({ name: column, isInteger: integers.includes(column) })),
        key,
      );
      const rows = new RowDigester(name, shape);
      const statement =
        columns.length === 0
          ? `COPY (SELECT FROM ONLY ${quoteTable(schema, table)}) TO STDOUT`
          : `COPY ${quoteTable(schema, table)} (${list}) TO STDOUT`;
      await psql.query(statement, (bytes) => rows.data(bytes, 0, bytes.length));
      rows.data(endOfRows, 0, endOfRows.length);
      rows.end();
      facts.push(rows.facts());
    }
    if (!chosen) {
      const objects = await this.#largeObjects();
      if (objects.records > 0) facts.push(objects);
    }
    const values = await this.#sequences();
    if (values.records > 0) facts.push(values);
    return facts;
  }

  async switch(): Promise<SwitchOutcome> {
    await this.#psql!.say(`${liftGuard};\nCOMMIT;\n`);
    await this.#psql!.close();
    await this.#refuseEnded();
    this.#isCommitted = true;
    return { warnings: [] };
  }

  rollBack(): Promise<void> {
    if (!this.#isCommitted) return this[Symbol.asyncDispose]();
    return Promise.reject(
      new MemkeepError("COMPARE_FAILED", {
        tried: `undo the restore of ${this.#planned.target.connection.database}`,
        happened:
          "its transaction is committed, and the role may not keep the old database beside the new one",
        next: "Restore the safety snapshot.",
      }),
    );
  }

  keep(): Promise<void> {
    return Promise.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The server rolls back what is not committed when its client has gone.
    await this.#psql?.stop();
  }

  async #refuseEnded(): Promise<void> {
    await refuseFailed(this.#psql!.program, "psql", this.#planned.target.connection, this.#surroundings);
  }

  /** A large object may be larger than a value: it is read in pieces. */
  async #largeObjects(): Promise<CollectionFacts> {
    const pieceBytes = 262_144;
    const digester = new LargeObjectDigester();
    let oid: string | undefined;
    await this.#psql!.lines(
      `COPY (SELECT m.oid, p.data FROM pg_catalog.pg_largeobject_metadata m CROSS JOIN LATERAL (
         WITH RECURSIVE pieces (n, data) AS (
           SELECT 0::bigint, pg_catalog.lo_get(m.oid, 0, ${pieceBytes})
           UNION ALL SELECT n + 1, pg_catalog.lo_get(m.oid, (n + 1) * ${pieceBytes}, ${pieceBytes})
             FROM pieces WHERE octet_length(data) = ${pieceBytes})
         SELECT data FROM pieces) p) TO STDOUT`,
      (line) => {
        const [number = "", hex = ""] = line.split("\t");
        if (number !== oid) {
          if (oid !== undefined) digester.end();
          oid = number;
          digester.begin(Number(number));
        }
        // COPY doubles the backslash of bytea's \x.
        const bytes = Buffer.from(hex.slice(3), "hex");
        digester.data(bytes, 0, bytes.length);
      },
    );
    if (oid !== undefined) digester.end();
    return { ...digester.facts(), name: largeObjects };
  }

  async #sequences(): Promise<CollectionFacts> {
    const found: { schema: string; tag: string; value: string; isCalled: string }[] = [];
    for (const { schema, tag } of sequenceValues(this.#contents!, this.#selection?.entries)) {
      const statement = `COPY (SELECT last_value, is_called FROM ${quoteTable(schema, tag)}) TO STDOUT`;
      await this.#psql!.lines(statement, (line) => {
        const [value = "", isCalled = ""] = line.split("\t");
        found.push({ schema, tag, value, isCalled: isCalled === "t" ? "true" : "false" });
      });
    }
    return { ...sequenceFacts(found), name: sequences };
  }
}

/**
 * A row that breaks a deferred constraint: as long as it is there no COMMIT succeeds, wherever one came from. Nothing is
 * committed before the comparison.
 */
const guard = [
  "CREATE TEMPORARY TABLE memkeep_guard (id integer PRIMARY KEY, parent integer REFERENCES memkeep_guard DEFERRABLE INITIALLY DEFERRED) ON COMMIT DROP",
  "INSERT INTO memkeep_guard VALUES (1, 2)",
];
const liftGuard = "DELETE FROM pg_temp.memkeep_guard";

const endOfRows = Buffer.from("\\.\n");
