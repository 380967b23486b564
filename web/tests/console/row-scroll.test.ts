import { describe, expect, it } from "vitest";
import { RowScroll, TALLEST } from "../../src/console/row-scroll";

describe("RowScroll", () => {
  it("is an ordinary scroll bar while the rows are low enough", () => {
    const scroll = new RowScroll(1000, 20, 400);
    expect(scroll.canvasHeight).toBe(20_000);
    expect(scroll.bottom).toBe(19_600);
    expect(scroll.visible(2000, 2)).toEqual({ first: 98, end: 122, y: 98 * 20 });
    expect(scroll.topOf(1234)).toBe(1234);
  });

  it("shows nothing of nothing", () => {
    expect(new RowScroll(0, 20, 400).visible(0)).toEqual({ first: 0, end: 0, y: 0 });
  });

  it("shows the last rows at the bottom", () => {
    const scroll = new RowScroll(1000, 20, 410);
    const { first, end, y } = scroll.visible(scroll.bottom, 0);
    expect(end).toBe(1000);
    expect(y + (end - first) * 20).toBe(scroll.canvasHeight);
  });

  for (const rows of [800_000, 3_000_000, 50_000_000]) {
    it(`reaches each of ${rows} rows within the height that browsers allow`, () => {
      const scroll = new RowScroll(rows, 20, 600);
      expect(scroll.scaled).toBe(true);
      expect(scroll.canvasHeight).toBe(TALLEST);
      expect(scroll.topOf(0)).toBe(0);
      expect(scroll.topOf(TALLEST - 600)).toBeCloseTo(scroll.bottom, 3);
      for (const row of [0, 1, Math.floor(rows / 3), rows - 40]) {
        const top = row * 20;
        const { first, end, y } = scroll.visible(top, 3);
        expect(first).toBeLessThanOrEqual(row);
        expect(end).toBeGreaterThan(row);
        // The row is drawn at the upper edge of what is seen.
        expect(y + (row - first) * 20).toBeCloseTo(scroll.scrollTopOf(top), 3);
        expect(scroll.topOf(scroll.scrollTopOf(top))).toBeCloseTo(top, 3);
      }
      expect(scroll.visible(scroll.bottom).end).toBe(rows);
    });
  }
});
