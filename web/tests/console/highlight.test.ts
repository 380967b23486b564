import { describe, expect, it } from "vitest";
import type { Hit } from "../../src/api/types";
import { plain, rangesIn, stretchesOf } from "../../src/console/highlight";

function hitOf(text: string, ...ranges: [number, number][]): Hit {
  return { line: 1, offset: 0, text, ranges, time: 0, stream: "stdout", step: 0 };
}

describe("rangesIn", () => {
  it("finds text as it stands, whatever it means in an expression", () => {
    expect(rangesIn("a.b a-b [A.B]", { q: "a.b", regex: false, case: false }, null)).toEqual([[0, 3], [9, 12]]);
    expect(rangesIn("a.b A.B", { q: "A.B", regex: false, case: true }, null)).toEqual([[4, 7]]);
    expect(rangesIn("(x|y)* \\d", { q: "(x|y)* \\d", regex: false, case: true }, null)).toEqual([[0, 9]]);
    expect(rangesIn("abc", { q: "", regex: false, case: false }, null)).toEqual([]);
  });

  it("of an expression, marks what the server found in the line, and runs nothing itself", () => {
    const evil = { q: "(a+)+$", regex: true, case: false };
    const row = `${"a".repeat(40)}b aa`;
    expect(rangesIn(row, evil, null)).toEqual([]);
    expect(rangesIn("x aa b", evil, hitOf("x aa b", [2, 4]))).toEqual([[2, 4]]);
    expect(rangesIn("x red b", evil, hitOf("x \x1b[31mred\x1b[0m b", [2, 14]))).toEqual([[2, 5]]);
    expect(rangesIn("foo foobar", evil, hitOf("foo foobar", [0, 3], [4, 10]))).toEqual([[0, 3], [4, 10]]);
  });
});

describe("stretchesOf", () => {
  it("splits a hit's text where it was found, without escape sequences", () => {
    expect(stretchesOf(hitOf("\x1b[31mred\x1b[0m hub red", [5, 8], [17, 20]), 80)).toEqual([
      { text: "red", hit: true },
      { text: " hub ", hit: false },
      { text: "red", hit: true },
    ]);
  });

  it("leaves out the beginning of what is before, where there is little room", () => {
    expect(stretchesOf(hitOf("0123456789x", [10, 11]), 4)).toEqual([
      { text: "…6789", hit: false },
      { text: "x", hit: true },
    ]);
  });

  it("stands ranges that overlap or lie outside", () => {
    expect(stretchesOf(hitOf("abcdef", [1, 3], [2, 4], [5, 99]), 80).map((part) => part.text).join("")).toBe("abcdef");
  });
});

it("plain text has no escape sequences and controls", () => {
  expect(plain("\x1b]8;;http://x\x1b\\a\x1b]8;;\x07 \x1b[1mb\x1b[0m\x08\x1b(Bc\td")).toBe("a bc\td");
});
