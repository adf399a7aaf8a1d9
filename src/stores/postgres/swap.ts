/**
 * Puts one database in the place of another: connections to the old one are refused and ended, then both are renamed in
 * one transaction. Connections are allowed again on every way out.
 */
import { MemkeepError } from "../../domain/errors.ts";
import type { StoreContext } from "../store.ts";
import type { Session } from "./client.ts";
import { sourceOf } from "./connection.ts";
import { mark, runText, unmark } from "./marked-databases.ts";
import { quoteName, quoteText } from "./names.ts";

export interface Swap {
  /** The name that programs use. */
  readonly target: string;
  /** What takes the name. */
  readonly next: string;
  /** The name that the database which has it now gets. */
  readonly aside: string;
  /** What the restored database is called once somebody runs the command that swaps back. */
  readonly undone: string;
}

const endAttempts = 50;
const endDelayMs = 200;

/** After it, `target` is what was `next`, and `aside` what was `target`, marked as kept. A failure leaves both as they were. */
export async function swapDatabases(maintenance: Session, swap: Swap, context: StoreContext): Promise<void> {
  const { target, next, aside } = swap;
  try {
    await refuseConnections(maintenance, target);
    await endConnections(maintenance, target, context);
    await endConnections(maintenance, next, context);
    await maintenance.run(
      `BEGIN;
       ALTER DATABASE ${quoteName(target)} RENAME TO ${quoteName(aside)};
       ALTER DATABASE ${quoteName(next)} RENAME TO ${quoteName(target)};
       ALTER DATABASE ${quoteName(aside)} SET "memkeep"."kept" TO ${quoteText(`${target} ${runText(context)}`)};
       ALTER DATABASE ${quoteName(target)} RESET "memkeep"."scratch";
       COMMIT`,
    );
  } catch (error) {
    // The transaction may be open and failed; outside of one this only warns.
    await maintenance.run("ROLLBACK");
    throw error;
  } finally {
    for (const name of [target, aside]) await allowConnections(maintenance, name);
  }
}

/** The way back: `target` is set aside as scratch, and what was kept has its name again. */
export async function swapBack(maintenance: Session, swap: Swap, context: StoreContext): Promise<void> {
  await swapDatabases(maintenance, { ...swap, next: swap.aside, aside: swap.next }, context);
  await unmark(maintenance, swap.target, "kept");
  await unmark(maintenance, swap.next, "kept");
  await mark(maintenance, swap.next, "scratch", runText(context));
}

/** One command that swaps back. It holds no password: psql finds it where it always does. */
export function undoCommand(maintenance: Session, { target, aside, undone }: Swap): string {
  const statements = [
    `ALTER DATABASE ${quoteName(target)} RENAME TO ${quoteName(undone)}`,
    `ALTER DATABASE ${quoteName(aside)} RENAME TO ${quoteName(target)}`,
    `ALTER DATABASE ${quoteName(target)} RESET memkeep.kept`,
  ];
  const commands = statements.map((statement) => `-c ${shellWord(statement)}`);
  return `psql -X -1 ${shellWord(sourceOf(maintenance.connection))} ${commands.join(" ")}`;
}

function shellWord(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** The mark says that it was us, should this process be killed before connections are allowed again. */
export async function refuseConnections(maintenance: Session, name: string): Promise<void> {
  await maintenance.run(
    `BEGIN;
     ALTER DATABASE ${quoteName(name)} SET "memkeep"."switching" TO 'on';
     ALTER DATABASE ${quoteName(name)} ALLOW_CONNECTIONS false;
     COMMIT`,
  );
}

/** Opens a database again that a killed switch left closed. False when it is closed for another reason. */
export async function recoverSwitch(maintenance: Session, name: string): Promise<boolean> {
  const isOurs = await maintenance.value(
    `SELECT 1 FROM pg_db_role_setting c JOIN pg_database d ON d.oid = c.setdatabase
      WHERE d.datname = $1 AND c.setrole = 0 AND 'memkeep.switching=on' = ANY (c.setconfig)`,
    [name],
  );
  if (isOurs === null) return false;
  await allowConnections(maintenance, name);
  return true;
}

async function allowConnections(maintenance: Session, name: string): Promise<void> {
  const exists = await maintenance.value("SELECT 1 FROM pg_database WHERE datname = $1", [name]);
  if (exists === null) return;
  await maintenance.run(
    `BEGIN;
     ALTER DATABASE ${quoteName(name)} ALLOW_CONNECTIONS true;
     ALTER DATABASE ${quoteName(name)} RESET "memkeep"."switching";
     COMMIT`,
  );
}

async function endConnections(maintenance: Session, name: string, context: StoreContext): Promise<void> {
  for (let attempt = 0; attempt < endAttempts; attempt++) {
    const rows = await maintenance.rows<{ pid: string; application_name: string | null; ended: string }>(
      `SELECT pid, application_name, pg_terminate_backend(pid) AS ended
         FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()`,
      [name],
    );
    if (rows.length === 0) return;
    await context.clock.sleep(endDelayMs, context.signal);
  }
  throw new MemkeepError("TARGET_IN_USE", {
    tried: `end the connections to ${name}`,
    happened: "some are still there",
    next: "Stop the programs that use it, and run the restore again.",
  });
}
