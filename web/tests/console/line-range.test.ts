import { expect, it } from "vitest";
import { formatLineRange, parseLineRange } from "../../src/console/line-range";

it("a permalink names a line or a range, in either order", () => {
  expect(parseLineRange("#L12")).toEqual({ from: 12, to: 12 });
  expect(parseLineRange("#L20-L12")).toEqual({ from: 12, to: 20 });
  expect(parseLineRange("#main")).toBeNull();
  expect(formatLineRange({ from: 3, to: 3 })).toBe("#L3");
  expect(formatLineRange({ from: 3, to: 9 })).toBe("#L3-L9");
});
