/** Room on disks. A backup that fills the disk its database lives on does more harm than no backup. */
import { sizeText } from "../../domain/words.ts";
import { statfs } from "node:fs/promises";
import { MemkeepError } from "../../domain/errors.ts";
import { type SqliteConfig, reserveFor } from "./config.ts";

export interface Room {
  readonly freeBytes: number;
  /** What must stay free. */
  readonly reserveBytes: number;
}

export async function roomAt(folder: string, config: SqliteConfig): Promise<Room> {
  const found = await statfs(folder);
  return {
    freeBytes: found.bavail * found.bsize,
    reserveBytes: reserveFor(config, found.blocks * found.bsize),
  };
}

export function lacks(room: Room, neededBytes: number): boolean {
  return room.freeBytes - neededBytes < room.reserveBytes;
}

/** `SPACE_LOW` unless `neededBytes` more fit beside the reserve. */
export async function requireRoom(
  folder: string,
  neededBytes: number,
  config: SqliteConfig,
  tried: string,
): Promise<void> {
  const room = await roomAt(folder, config);
  if (lacks(room, neededBytes)) throw spaceLow(room, neededBytes, folder, tried);
}

export function spaceLow(room: Room, neededBytes: number, folder: string, tried: string): MemkeepError {
  return new MemkeepError("SPACE_LOW", {
    tried,
    happened: `${folder} has ${sizeText(room.freeBytes)} free; ${sizeText(neededBytes)} are needed and ${sizeText(room.reserveBytes)} must stay free`,
    next: "Free space there, use another disk for the spool folder, or set the store's `reserve` lower.",
    details: { folder, neededBytes, ...room },
  });
}
