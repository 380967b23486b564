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

  describe("with rows that are wrapped", () => {
    const linesOf = (row: number): number => (row % 10 === 0 ? 7 : 1);
    const heightOf = (row: number): number => linesOf(row) * 20;
    const scroll = new RowScroll(1000, 20, 410, linesOf);

    it("shows the last rows at the bottom, and the bar reaches it", () => {
      const { first, end, y } = scroll.visible(scroll.bottom, 0);
      expect(end).toBe(1000);
      let height = 0;
      for (let row = first; row < end; row += 1) height += heightOf(row);
      expect(y + height).toBeCloseTo(scroll.scrollTopOf(scroll.bottom) + 410, 6);
      expect(scroll.canvasHeight - 410).toBeCloseTo(scroll.bottom, 6);
    });

    it("moves by pixels of what is seen, there and back", () => {
      let top = 0;
      let way = 0;
      for (const step of [5, 30, 139, 1, 400, 2000, 17]) {
        top = scroll.move(top, step);
        way += step;
        // As many pixels of rows are above as were moved by.
        const row = Math.floor(top / 20 + 1e-9);
        let above = (top / 20 - row) * heightOf(row);
        for (let i = 0; i < row; i += 1) above += heightOf(i);
        expect(above).toBeCloseTo(way, 4);
      }
      expect(scroll.move(top, -way)).toBeCloseTo(0, 4);
      expect(scroll.move(0, -50)).toBe(0);
      expect(scroll.move(0, 1e9)).toBeCloseTo(scroll.bottom, 4);
    });

    it("fills the view, however it begins", () => {
      for (let top = 0; top < scroll.bottom; top += 333.3) {
        const { first, end, y } = scroll.visible(top, 2);
        let height = 0;
        for (let row = first; row < end; row += 1) height += heightOf(row);
        expect(y).toBeLessThanOrEqual(scroll.scrollTopOf(top));
        expect(y + height).toBeGreaterThanOrEqual(Math.min(scroll.scrollTopOf(top) + 410, scroll.canvasHeight) - 1e-6);
      }
    });

    it("is not asked about rows that are not there", () => {
      const empty = new RowScroll(0, 20, 400, () => {
        throw new Error("there is no row");
      });
      expect([empty.visible(0), empty.bottom, empty.move(0, 10)]).toEqual([{ first: 0, end: 0, y: 0 }, 0, 0]);
    });
  });
});
