/** Merges a dump into a database in use: one transaction, compared before it is committed. Nothing is deleted. */
import { MemkeepError } from "../../domain/errors.ts";
import { MultisetDigest, recordDigest } from "../../domain/digest.ts";
import type { CollectionFacts } from "../../domain/manifest.ts";
import type { DumpSource, Restoration, SwitchOutcome } from "../store.ts";
import { sequenceFacts, sequenceValues, sequences } from "./archive/digest-archive.ts";
import { RowBuilder, copyLine, rowShape } from "./canonical-row.ts";
import { type Session, openSession } from "./client.ts";
import type { PlannedMerge } from "./merge-plan.ts";
import { quoteTable, quoteText } from "./names.ts";
import { readTable } from "./read-table.ts";
import type { Surroundings } from "./view.ts";
import { RowBatches, findRows, writeRows } from "./write-rows.ts";
import { type WriteTransaction, beginWriting, finishWriting, refusedWrite } from "./write-transaction.ts";

export class MergeRestoration implements Restoration {
  readonly comparable = "before-switch";
  readonly #planned: PlannedMerge;
  readonly #source: DumpSource;
  readonly #surroundings: Surroundings;
  #session: Session | undefined;
  #transaction: WriteTransaction | undefined;
  #isCommitted = false;

  constructor(planned: PlannedMerge, source: DumpSource, surroundings: Surroundings) {
    this.#planned = planned;
    this.#source = source;
    this.#surroundings = surroundings;
  }

  get expected(): readonly CollectionFacts[] {
    return this.#planned.expected;
  }

  async load(): Promise<void> {
    const { target, merged, contents } = this.#planned;
    const { config, context } = this.#surroundings;
    const { database } = target.connection;
    context.observer.step(context.name, `merging into ${database} in one transaction`);
    const session = (this.#session = await openSession(target.connection, config, context));
    const dumped = new Map(merged.map((one) => [one.table.oid, one.dumped]));
    let current = database;
    try {
      this.#transaction = await beginWriting(
        session,
        merged.map(({ table }) => table),
        this.#surroundings,
      );
      for (const table of this.#transaction.tables) {
        current = table.name;
        const batches = new RowBatches(table, async (rows) => {
          context.signal.throwIfAborted();
          await writeRows(session, table, rows);
        });
        for await (const row of readTable(this.#source, dumped.get(table.oid)!, contents.intSize))
          await batches.add(row);
        await batches.flush();
      }
      current = database;
      await finishWriting(this.#transaction);
      await this.#moveSequences(session);
    } catch (error) {
      context.signal.throwIfAborted();
      throw refusedWrite(error, current, this.#surroundings);
    }
  }

  /** The rows of the dump as they now stand in the database. */
  async facts(): Promise<readonly CollectionFacts[]> {
    const { merged, contents } = this.#planned;
    const found = new Map<string, CollectionFacts>();
    for (const { table, dumped } of merged) {
      const { name, columns, integers, key } = dumped;
      const shape = rowShape(
        columns.map((column) => ({ name: column, isInteger: integers.includes(column) })),
        key,
      );
      const builder = new RowBuilder(shape);
      const [keys, content] = [new MultisetDigest(), new MultisetDigest()];
      const batches = new RowBatches(table, async (rows) => {
        for (const texts of (await findRows(this.#session!, table, rows, columns)).values()) {
          const line = copyLine(texts);
          builder.split(line, 0, line.length);
          content.add(recordDigest(builder.row(line)));
          const canonical = builder.key(line);
          if (canonical) keys.add(recordDigest(canonical));
        }
      });
      for await (const row of readTable(this.#source, dumped, contents.intSize)) await batches.add(row);
      await batches.flush();
      const digests = { ...(shape.key ? { keyDigest: keys.hex() } : {}), contentDigest: content.hex() };
      found.set(name, { name, records: content.count, ...digests });
    }
    const values = await this.#sequenceFacts();
    // Tables that are empty in the dump have nothing to be merged, and nothing to be compared.
    return this.expected.map((facts) =>
      facts.name === sequences ? values : (found.get(facts.name) ?? facts),
    );
  }

  async switch(): Promise<SwitchOutcome> {
    try {
      await this.#session!.run("COMMIT");
    } catch (error) {
      throw refusedWrite(error, this.#planned.target.connection.database, this.#surroundings);
    }
    this.#isCommitted = true;
    return { warnings: this.#transaction!.warnings };
  }

  rollBack(): Promise<void> {
    if (!this.#isCommitted) return this[Symbol.asyncDispose]();
    return Promise.reject(
      new MemkeepError("COMPARE_FAILED", {
        tried: `undo the merge into ${this.#planned.target.connection.database}`,
        happened: "its transaction is committed",
        next: "Restore the safety snapshot.",
      }),
    );
  }

  keep(): Promise<void> {
    return Promise.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    // The server rolls back what is not committed when its client has gone.
    await session?.[Symbol.asyncDispose]();
  }

  #sequenceValues(): ReturnType<typeof sequenceValues> {
    return sequenceValues(this.#planned.contents, this.#planned.selection?.entries);
  }

  /** Up to the dump's, never back. Those without a place in a column have no other way to be known. */
  async #moveSequences(session: Session): Promise<void> {
    for (const { schema, tag, value, isCalled } of this.#sequenceValues()) {
      if (value === undefined || !(await this.#isBehind(session, schema, tag, value, isCalled))) continue;
      await session.rows("SELECT setval($1::regclass, $2::bigint, $3::boolean)", [
        quoteTable(schema, tag),
        value,
        isCalled,
      ]);
    }
  }

  /** One that went further, as it does while programs write, counts as the dump's. */
  async #sequenceFacts(): Promise<CollectionFacts> {
    const values = [];
    for (const one of this.#sequenceValues()) {
      const isBehind =
        one.value !== undefined &&
        (await this.#isBehind(this.#session!, one.schema, one.tag, one.value, one.isCalled));
      values.push(isBehind ? { ...one, value: "behind" } : one);
    }
    return { ...sequenceFacts(values), name: sequences };
  }

  async #isBehind(
    session: Session,
    schema: string,
    tag: string,
    value: string,
    isCalled: string | undefined,
  ): Promise<boolean> {
    const name = quoteTable(schema, tag);
    const behind = await session.value(
      `SELECT CASE WHEN s.last_value = $1::bigint THEN $2::boolean AND NOT s.is_called
                   WHEN q.seqincrement > 0 THEN s.last_value < $1::bigint ELSE s.last_value > $1::bigint END
         FROM ${name} s, pg_sequence q WHERE q.seqrelid = ${quoteText(name)}::regclass`,
      [value, isCalled],
    );
    return behind === "t";
  }
}
