import { DatabaseSync } from "node:sqlite";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { checkIntegrity, describeDamage } from "./check.ts";
import { requireSameCounts } from "./dump.ts";

it("SQLite's messages of many lines are one problem a line, and one sentence for people", () => {
  const folder = mkdtempSync(join(tmpdir(), "memkeep-check-"));
  try {
    const path = join(folder, "memory.db");
    const db = new DatabaseSync(path);
    db.exec(`CREATE TABLE memories (id INTEGER PRIMARY KEY, text TEXT); CREATE INDEX by_text ON memories (text);
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
      INSERT INTO memories SELECT i, hex(randomblob(100)) FROM n;`);
    db.close();
    const bytes = readFileSync(path);
    for (let page = 3; page < bytes.length / 4096; page += 4)
      bytes.fill(0xaa, page * 4096, page * 4096 + 100);
    writeFileSync(path, bytes);
    using damaged = new DatabaseSync(path, { readOnly: true });

    const { damage } = checkIntegrity(damaged);

    expect(damage.length).toBeGreaterThan(1);
    for (const line of damage) expect(line).not.toMatch(/\n|\*\*\*/);
    expect(describeDamage(damage)).toBe(`${damage[0]} (and ${damage.length - 1} more)`);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it("one problem has no count", () => {
  expect(describeDamage(["*** in database main ***\nPage 9: never used"])).toBe("Page 9: never used");
});

it("law 3: a copy with fewer rows or tables than the live view is no dump", () => {
  const live = [
    { name: "a", records: 2 },
    { name: "b", records: 0 },
  ];
  const copied = live.map((facts) => ({ ...facts, contentDigest: "" }));
  requireSameCounts(live, copied, "memory.db");
  for (const short of [
    copied.slice(1),
    copied.slice(0, 1),
    copied.map((facts) => ({ ...facts, records: 1 })),
  ])
    expect(() => requireSameCounts(live, short, "memory.db")).toThrow(
      expect.objectContaining({ code: "DUMP_INCOMPLETE" }),
    );
});
