/** Recovery keys: passwords that nobody thinks up, to be written on paper. */
import { randomInt } from "node:crypto";

/** Without letters and digits that look alike on paper: no I, L, O, U, 0, 1. */
const alphabet = "23456789ABCDEFGHJKMNPQRSTVWXYZ";
const groups = 7;
const groupLength = 4;

/** `7XQD-…`: seven groups of four, 137 bits. The hyphens belong to it, since any program must be able to take it as it stands. */
export function newRecoveryKey(): string {
  return Array.from({ length: groups }, () =>
    Array.from({ length: groupLength }, () => alphabet[randomInt(alphabet.length)]).join(""),
  ).join("-");
}
