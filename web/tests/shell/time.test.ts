import { expect, it } from "vitest";
import { formatAgo, formatBytes, formatDuration, formatUntil } from "../../src/shell/time";

it("a duration has two units at most, and ms or tenths while it is short", () => {
  const shown = [-5, 340, 9_949, 9_960, 59_400, 59_600, 83_000, 3_599_600, 3_600_000, 90_061_000].map(formatDuration);
  expect(shown).toEqual(["0ms", "340ms", "9.9s", "10s", "59s", "1m 00s", "1m 23s", "1h 00m", "1h 00m", "1d 01h"]);
});

it("an age is told in the language of the page and never lies ahead", () => {
  expect(formatAgo(1_000_000, 1_000_000 + 180_000, "en")).toBe("3 min. ago");
  expect(formatAgo(1_000_000, 1_000_000 + 180_000, "zh-CN")).toBe("3分钟前");
  expect(formatAgo(2_000_000, 1_000_000, "en")).toBe("now");
});

it("what is to come is told in the language of the page, and is now once it is due", () => {
  expect(formatUntil(1_000_000 + 180_000, 1_000_000, "en")).toBe("in 3 min.");
  expect(formatUntil(1_000_000 + 180_000, 1_000_000, "zh-CN")).toBe("3分钟后");
  expect(formatUntil(1_000_000, 2_000_000, "en")).toBe("now");
});

it("bytes are told in the unit that fits", () => {
  expect([0, 1023, 1536, 16 << 20, 256 << 20].map(formatBytes)).toEqual(["0 B", "1023 B", "1.5 KB", "16.0 MB", "256 MB"]);
});
