import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { ManualClock } from "../../util/clock/manual-clock.ts";
import { Pipe } from "./pipe.ts";
import { ProgressLine } from "./progress.ts";
import { fit, printable, styleFor, widthOf, wrap } from "./style.ts";
import { tableText } from "./table.ts";
import { describeTerminal } from "./terminal.ts";
import { ageText, durationText, sizeText } from "../../domain/words.ts";

const plain = styleFor({ interactive: false, columns: 60, colour: false, unicode: true });

test.each([
  [0, "0 bytes"],
  [1, "1 byte"],
  [999, "999 bytes"],
  [1000, "1.0 kB"],
  [9949, "9.9 kB"],
  [9960, "10 kB"],
  [999_600, "1.0 MB"],
  [2_500_000, "2.5 MB"],
  [130_000_000_000, "130 GB"],
])("%d bytes are %j", (bytes, text) => {
  expect(sizeText(bytes)).toBe(text);
});

test.each([
  [0, "0.0 s"],
  [9940, "9.9 s"],
  [59_400, "59 s"],
  [185_000, "3 min 5 s"],
  [7_800_000, "2 h 10 min"],
  [180_000_000, "2 d 2 h"],
])("%d ms are %j", (ms, text) => {
  expect(durationText(ms)).toBe(text);
});

test.each([
  [5000, "just now"],
  [300_000, "5 min ago"],
  [3 * 3_600_000, "3 h ago"],
  [5 * 86_400_000, "5 days ago"],
  [-86_400_000, "in the future"],
])("%d ms ago is %j", (ms, text) => {
  expect(ageText(1e12 - ms, 1e12)).toBe(text);
});

test("a table fits the terminal, and wide characters count twice", () => {
  const text = tableText(
    [
      { title: "NAME", flexible: true },
      { title: "SIZE", align: "right" },
    ],
    [
      ["記憶".repeat(40), "1 kB"],
      ["short", "25 MB"],
    ],
    plain,
  );
  const lines = text.split("\n");
  expect(lines).toHaveLength(3);
  for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(60);
  expect(lines[1]).toMatch(/^(記憶)+.?… +1 kB$/);
  expect(widthOf(lines[1]!)).toBe(widthOf(lines[2]!));
});

test("the last column may go on in the next line; a number stays with what it counts", () => {
  const style = styleFor({ interactive: false, columns: 24, colour: false, unicode: true });
  const columns = [{ title: "ID" }, { title: "WHY", flexible: true, folded: true }];
  expect(
    tableText(
      columns,
      [
        ["a1", "one of the newest, younger than 14 days"],
        ["b2", ""],
      ],
      style,
    ),
  ).toBe("ID  WHY\na1  one of the newest,\n    younger than 14 days\nb2");
  expect(wrap("decoded, in 0.4 s", 16, "")).toBe("decoded, in\n0.4 s");
});

test("law 12: names from outside cannot move the cursor or forge a line", () => {
  expect(printable("a\u001B[2Jb\nc\rd\u202Ee")).toBe("ab\uFFFDc\uFFFDd\uFFFDe");
  const text = tableText([{ title: "NAME" }], [["a\nerror: forged"]], plain);
  expect(text.split("\n")).toHaveLength(2);
});

test("texts are shortened and broken by width", () => {
  expect(fit("abcdef", 4, "…")).toBe("abc…");
  expect(fit("日本語", 5, "…")).toBe("日本…");
  expect(wrap("one two three", 9, "  ")).toBe("  one two\n  three");
});

test("colour and signs follow the terminal, the locale and the wishes", () => {
  const tty = { stdout: { isTTY: true, columns: 100 }, stderr: { isTTY: true } };
  const pipe = { stdout: {}, stderr: {} };
  expect(describeTerminal(tty, { LANG: "C.UTF-8" }, false)).toEqual({
    interactive: true,
    columns: 100,
    colour: true,
    unicode: true,
  });
  expect(describeTerminal(tty, { NO_COLOR: "1", FORCE_COLOR: "1" }, false).colour).toBe(false);
  expect(describeTerminal(tty, { TERM: "dumb" }, false)).toMatchObject({ colour: false, interactive: false });
  expect(describeTerminal(pipe, {}, false).colour).toBe(false);
  expect(describeTerminal(pipe, { FORCE_COLOR: "1" }, false).colour).toBe(true);
  expect(describeTerminal(pipe, { FORCE_COLOR: "1" }, true).colour).toBe(false);
  expect(describeTerminal(tty, { COLUMNS: "20" }, false).columns).toBe(60);
  expect(describeTerminal(tty, { COLUMNS: "999" }, false).columns).toBe(200);
  expect(describeTerminal(tty, { LC_ALL: "C", LANG: "de_DE.UTF-8" }, false).unicode).toBe(false);
});

test("progress is one line, redrawn at most ten times a second, with rate and estimate", () => {
  const stream = new PassThrough();
  const clock = new ManualClock();
  const line = new ProgressLine(new Pipe(stream), clock, 60, "…");
  for (let step = 1; step <= 100; step++) {
    clock.advance(50);
    line.update("memory", step * 1_000_000, 200_000_000, "bytes");
  }
  line.clear();
  const written = String(stream.read());
  const draws = written.split("\r\u001B[K").filter((text) => text !== "");
  expect(draws.length).toBeLessThanOrEqual(51);
  expect(draws.at(-1)).toMatch(/^memory {2}\d+% {2}\d+ MB of 200 MB {2}\d+ MB\/s {2}[\d.]+ s left$/);
  expect(written).not.toContain("\n");
  expect(written.endsWith("\r\u001B[K")).toBe(true);
});

test("a reader that goes away is no error; a full disk behind it is one", () => {
  const left = new PassThrough();
  const pipe = new Pipe(left);
  left.destroy(Object.assign(new Error("write EPIPE"), { code: "EPIPE" }));
  left.emit("error", Object.assign(new Error("write EPIPE"), { code: "EPIPE" }));
  pipe.write("nobody reads this");
  expect([pipe.closed, pipe.failure]).toEqual([true, undefined]);
  const full = new PassThrough();
  const other = new Pipe(full);
  full.emit("error", Object.assign(new Error("no space left on device"), { code: "ENOSPC" }));
  expect(other.failure?.message).toMatch(/no space/);
});
