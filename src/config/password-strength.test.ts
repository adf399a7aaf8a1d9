import { expect, test } from "vitest";
import { passwordWeakness } from "./password-strength.ts";

test.each(["", "short", "aaaaaaaaaaaaaaaaaaaa", "passwordpassword1", "Password123456", "123456789012"])(
  "%j is weak",
  (password) => {
    expect(passwordWeakness(password)).toBeTypeOf("string");
  },
);

test.each(["correct horse battery", "mUx1-9fQ.pw2z", "Ein langer Satz, den niemand errät"])(
  "%j is not",
  (password) => {
    expect(passwordWeakness(password)).toBeUndefined();
  },
);

test("law 10: the reason holds nothing of the password", () => {
  expect(passwordWeakness("admin-admin")).not.toContain("admin");
});
