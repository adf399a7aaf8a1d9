import { expect, test } from "vitest";
import { judgeDoubles, judgeNesting, judgePlace } from "./places.ts";
import { doctorReport } from "./report.ts";
import { judgeRoom, judgeStorage } from "./repositories.ts";

const mounts = [
  { mountPoint: "/", type: "overlay" },
  { mountPoint: "/app/data", type: "ext4" },
  { mountPoint: "/run", type: "tmpfs" },
];

test.each([
  ["/app/data/memory.db", "ok", /ext4/],
  ["/app/memory.db", "critical", /container's own layer.*Mount a volume/],
  ["/run/backups", "critical", /in memory/],
] as const)("%s: %s", (path, status, text) => {
  const check = judgePlace({ subject: "store memory", path, realPath: path }, mounts);
  expect(check).toMatchObject({ status, text: expect.stringMatching(text) });
});

test("two names of one database, and a repository in a store's folder, are told", () => {
  const store = { name: "a", identity: "file:1:2", source: "/x/a.db", localPaths: ["/x/notes"] };
  expect(judgeDoubles([store, { ...store, name: "b" }])).toMatchObject([
    { subject: "store b", status: "critical" },
  ]);
  expect(judgeDoubles([store, { ...store, name: "b", identity: "file:1:3" }])).toEqual([]);
  const repositories = [
    { name: "in", path: "/x/notes/backups" },
    { name: "beside", path: "/x/notes-backups" },
  ];
  expect(judgeNesting([store], repositories)).toMatchObject([{ subject: "repository in" }]);
});

test("clocks that are apart, and disks that are full", () => {
  const facts = { keepsRemoved: false, sentences: ["Versioning is off."], freeBytes: 1e12, timeMs: 0 };
  expect(judgeStorage("r", facts, 0, 59_000).map(({ status }) => status)).toEqual(["ok", "ok", "ok"]);
  expect(judgeStorage("r", facts, 0, 3_600_000)[0]).toMatchObject({
    status: "warning",
    text: expect.stringContaining("1 h 0 min apart"),
  });
  expect(judgeRoom("r", 1e9, 2e9).status).toBe("critical");
  expect(judgeRoom("r", 1e8, 1e7).status).toBe("warning");
});

test("law 7: what could not be measured is not well", () => {
  const check = { subject: "s", name: "n", text: "" };
  expect(doctorReport([{ ...check, status: "unknown" }]).status).toBe("warning");
  expect(doctorReport([{ ...check, status: "ok" }]).status).toBe("ok");
  expect(doctorReport([]).status).toBe("ok");
});
