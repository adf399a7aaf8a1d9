/** What is in the stores of a golden repository, as one text each, read by nothing of memkeep. */
import { createHash } from "node:crypto";
import { DatabaseSync } from "node:sqlite";

export const goldenPassword = "golden for ever";

export function rowsOf(path: string): string {
  using db = new DatabaseSync(path, { readOnly: true });
  return db
    .prepare(
      "SELECT id || '|' || content || '|' || ifnull(weight, 'none') || '|' || hex(vector) || '|' || seen AS line FROM memories ORDER BY id",
    )
    .all()
    .map((row) => String(row["line"]))
    .join("\n");
}

export async function pointsIn(url: string): Promise<string> {
  const answer = await fetch(`${url}/collections/memories/points/scroll`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ limit: 10_000, with_payload: true, with_vector: true }),
  });
  const { result } = (await answer.json()) as {
    result: { points: { id: number; payload: Record<string, unknown>; vector: number[] }[] };
  };
  return result.points
    .sort((a, b) => a.id - b.id)
    .map(({ id, payload, vector }) =>
      JSON.stringify([
        id,
        Object.entries(payload).sort(([a], [b]) => (a < b ? -1 : 1)),
        vector.map(Math.fround),
      ]),
    )
    .join("\n");
}

export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
