/** Health of a SQLite database. Each measurement stands for itself: one that fails is `unknown` (law 7). */
import { durationText } from "../../domain/words.ts";
import { isMemkeepError, reasonOf } from "../../domain/errors.ts";
import type { Probe, StoreContext } from "../store.ts";
import { describeDamage } from "./check.ts";
import { type LiveDatabase, openLive } from "./client.ts";
import type { SqliteConfig } from "./config.ts";
import { examine, resolvePath, sizeOf } from "./database-file.ts";
import { roomAt } from "./space.ts";
import { dirname } from "node:path";

/** A WAL beyond this means that checkpoints do not get through: some reader never ends its transaction. */
const largeWalBytes = 256 * 1024 * 1024;
const muchFree = 0.25;

export async function probeDatabase(config: SqliteConfig, context: StoreContext): Promise<readonly Probe[]> {
  const probes: Probe[] = [];
  try {
    const file = await examine(config.path);
    await using database = await openLive(config, context);
    probes.push({ name: "reachable", status: "ok", text: `${file.path} can be read` });
    probes.push(await measured("integrity", () => integrity(database)));
    probes.push(await measured("journal", () => journal(database, config)));
    probes.push(await measured("free-pages", () => freePages(database)));
  } catch (error) {
    const status = isMemkeepError(error, "STORE_BUSY", "STORE_DENIED") ? "unknown" : "critical";
    const next = isMemkeepError(error) && error.next ? ` ${error.next}` : "";
    probes.push({ name: "reachable", status, text: `${reasonOf(error)}.${next}` });
  }
  probes.push(await measured("disk", () => disk(config)));
  return probes;
}

async function measured(name: string, measure: () => Promise<Omit<Probe, "name">>): Promise<Probe> {
  try {
    return { name, ...(await measure()) };
  } catch (error) {
    return { name, status: "unknown", text: `could not be measured: ${reasonOf(error)}` };
  }
}

async function integrity({ reader, file }: LiveDatabase): Promise<Omit<Probe, "name">> {
  const messages = (await reader.ask("quickCheck")).filter((text) => text !== "ok");
  if (messages.length === 0) return { status: "ok", text: "SQLite's quick check finds nothing" };
  return {
    status: "critical",
    text: `${file.path} is damaged: ${describeDamage(messages)}. Restore the newest good snapshot with \`memkeep restore\`.`,
  };
}

async function journal({ file, pinned }: LiveDatabase, config: SqliteConfig): Promise<Omit<Probe, "name">> {
  if (pinned.journalMode !== "wal") {
    return {
      status: "ok",
      text: `rollback-journal mode: a backup keeps writers waiting, ${durationText(config.maxBlock)} at the most; WAL mode keeps nobody waiting`,
    };
  }
  const amount = (await sizeOf(`${file.path}-wal`)) ?? 0;
  const value = { amount, unit: "bytes" };
  if (amount < largeWalBytes) return { status: "ok", text: "WAL mode", value };
  return {
    status: "warning",
    text: "the WAL is large: a program keeps a transaction open. `memkeep maintain checkpoint` empties it once that has ended.",
    value,
  };
}

async function freePages({ reader, pinned }: LiveDatabase): Promise<Omit<Probe, "name">> {
  const free = Number(await reader.ask("pragma", "freelist_count"));
  const value = { amount: free * pinned.pageSize, unit: "bytes" };
  const share = pinned.pageCount === 0 ? 0 : free / pinned.pageCount;
  const text = `${Math.round(share * 100)} % of the file are free pages`;
  if (share < muchFree || value.amount < largeWalBytes) return { status: "ok", text, value };
  return { status: "warning", text: `${text}; \`memkeep maintain vacuum\` gives them back`, value };
}

async function disk(config: SqliteConfig): Promise<Omit<Probe, "name">> {
  const folder = dirname(await resolvePath(config.path));
  const room = await roomAt(folder, config);
  const value = { amount: room.freeBytes, unit: "bytes" };
  if (room.freeBytes >= room.reserveBytes) return { status: "ok", text: `${folder} has room`, value };
  return { status: "critical", text: `${folder} is almost full: SQLite will fail to write`, value };
}
