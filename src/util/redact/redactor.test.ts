import { inspect } from "node:util";
import { expect, test } from "vitest";
import { Redactor } from "./redactor.ts";
import { Secret } from "./secret.ts";

const everyCharacter = Array.from({ length: 95 }, (_, index) => String.fromCodePoint(32 + index)).join("");

test("law 10: a secret prints as *** wherever something prints it", () => {
  const secret = new Secret("hunter2");
  const printed = [
    String(secret),
    secret.toString(),
    JSON.stringify({ secret }),
    inspect({ deep: { secret } }, { depth: 9, showHidden: true }),
    [secret].join(),
  ];
  for (const text of printed) expect(text).toContain("***");
  expect(printed.join()).not.toContain("hunter2");
  expect(secret.reveal()).toBe("hunter2");
});

test("law 10: a secret of every ASCII character is masked in every way of writing it", () => {
  const redactor = new Redactor();
  redactor.add(new Secret(everyCharacter));
  const texts = [
    everyCharacter,
    JSON.stringify(everyCharacter),
    encodeURIComponent(everyCharacter),
    encodeURI(everyCharacter),
    `failed: ${everyCharacter} was refused`,
  ];
  for (const text of texts) {
    expect(redactor.text(text)).toContain("***");
    expect(redactor.text(text)).not.toMatch(/ABCDEFGHIJ/);
  }
});

test("of two secrets, the one that holds the other is masked whole", () => {
  const redactor = new Redactor();
  redactor.add(new Secret("hunter"));
  redactor.add(new Secret("hunter-and-more"));
  expect(redactor.text("it was hunter-and-more")).toBe("it was ***");
});

test("user parts of URLs are masked although nobody told of them", () => {
  const redactor = new Redactor();
  expect(redactor.text("at postgresql://me:p@ss@host:5432/db and on")).toBe(
    "at postgresql://***@host:5432/db and on",
  );
  expect(redactor.text("mail me@example.com")).toBe("mail me@example.com");
});

test("data keeps its ids, names and kinds, and loses secrets in sentences", () => {
  const redactor = new Redactor();
  redactor.add(new Secret("postgres"));
  redactor.add(new Secret("a-long-secret-value"));
  const data = {
    kind: "postgres",
    error: "no postgres for you",
    path: "/x/a-long-secret-value",
    n: [1, null],
  };
  expect(redactor.data(data)).toEqual({
    kind: "postgres",
    error: "no *** for you",
    path: "/x/***",
    n: [1, null],
  });
});

test("a very short secret does not garble every message", () => {
  const redactor = new Redactor();
  redactor.add(new Secret("a"));
  redactor.add(new Secret(""));
  expect(redactor.text("a backup")).toBe("a backup");
});

test("the URL of a database is masked whole only when it holds a password or parameters", () => {
  const redactor = new Redactor();
  const secrets = [
    "postgresql://u:pass/w@h/memory",
    "postgresql://h/memory?password=words",
    "https://hooks.example.com/services/T0/B0",
  ];
  for (const url of [...secrets, "postgresql://backup@h:5432/memory", "neo4j://h:7687"])
    redactor.add(new Secret(url));
  expect(redactor.text("backing up postgresql://backup@h:5432/memory")).toBe(
    "backing up postgresql://***@h:5432/memory",
  );
  expect(redactor.text("neo4j://h:7687")).toBe("neo4j://h:7687");
  for (const url of secrets) expect(redactor.text(url)).toBe("***");
});
