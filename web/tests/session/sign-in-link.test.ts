import { expect, it } from "vitest";
import { parseSignInLink, safeNext } from "../../src/session/sign-in-link";

it("a sign-in link carries a code and where to go", () => {
  expect(parseSignInLink("#code=abc&next=/runs/1")).toEqual({ code: "abc", next: "/runs/1" });
  expect(parseSignInLink("#code=a%2Bb")).toEqual({ code: "a+b", next: "/" });
  expect(parseSignInLink("")).toEqual({ code: null, next: "/" });
});

it("a sign-in link leads to no other server", () => {
  for (const bad of ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/login", "", null]) {
    expect(safeNext(bad)).toBe("/");
  }
  expect(safeNext("/runs/1?attempt=2#L5")).toBe("/runs/1?attempt=2#L5");
});
