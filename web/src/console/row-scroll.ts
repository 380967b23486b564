/** Browsers clip elements near 17.9 M px (Firefox) and 33.5 M px (Chrome); beyond this the way is scaled. */
export const TALLEST = 15_000_000;

/**
 * Where rows are, for a scroll bar whose range may be shorter than the rows are tall, and whose rows may be wrapped.
 * `top` is the position in the rows: row n begins at n times the row height, however many lines it takes, so that no
 * row has to be measured before it is seen. `scrollTop` is what the element says. They are equal until TALLEST.
 */
export class RowScroll {
  private lowest: number | null = null;

  /** @param linesOf how many lines a row takes; one each when it is left out */
  constructor(
    readonly rows: number,
    readonly rowHeight: number,
    /** Height of the visible part, px. */
    readonly view: number,
    private readonly linesOf: ((row: number) => number) | null = null,
  ) {}

  get contentHeight(): number {
    return this.linesOf && this.bottom > 0 ? this.bottom + this.view : this.rows * this.rowHeight;
  }

  /** Height of the scrolled element, px. */
  get canvasHeight(): number {
    return Math.min(this.contentHeight, TALLEST);
  }

  get scaled(): boolean {
    return this.contentHeight > TALLEST;
  }

  /** Whether a pixel of the bar is not always one of the rows. */
  get uneven(): boolean {
    return this.scaled || this.linesOf !== null;
  }

  /** The largest `top`: the last row ends where the visible part does. */
  get bottom(): number {
    return (this.lowest ??= this.linesOf ? this.lastPage() : Math.max(0, this.rows * this.rowHeight - this.view));
  }

  topOf(scrollTop: number): number {
    return this.clamp(this.scaled ? scrollTop * this.ratio : scrollTop);
  }

  scrollTopOf(top: number): number {
    return this.scaled ? this.clamp(top) / this.ratio : this.clamp(top);
  }

  /** The rows to draw, with some above and below, and where the first is in the element, px. */
  visible(top: number, overscan = 10): { first: number; end: number; y: number } {
    const at = this.clamp(top);
    const seen = Math.min(Math.floor(at / this.rowHeight), Math.max(0, this.rows - 1));
    const first = Math.max(0, seen - overscan);
    let y = this.scrollTopOf(at) - this.into(at, seen);
    for (let row = first; row < seen; row += 1) y -= this.heightOf(row);
    let end = seen;
    for (let left = this.view + this.into(at, seen); left > 0 && end < this.rows; end += 1) left -= this.heightOf(end);
    return { first, end: Math.min(this.rows, end + overscan), y };
  }

  /** The position so many pixels of rows further down, or up. */
  move(top: number, pixels: number): number {
    if (!this.linesOf) return this.clamp(top + pixels);
    let row = Math.min(Math.floor(top / this.rowHeight), Math.max(0, this.rows - 1));
    let into = this.into(top, row) + pixels;
    while (into < 0 && row > 0) into += this.heightOf((row -= 1));
    while (into >= this.heightOf(row) && row < this.rows - 1) into -= this.heightOf(row++);
    return this.clamp((row + into / this.heightOf(row)) * this.rowHeight);
  }

  clamp(top: number): number {
    return Math.min(this.bottom, Math.max(0, top));
  }

  private heightOf(row: number): number {
    return (row < this.rows ? (this.linesOf?.(row) ?? 1) : 1) * this.rowHeight;
  }

  /** How many pixels of the row at `top` are above it. */
  private into(top: number, row: number): number {
    return (top / this.rowHeight - row) * this.heightOf(row);
  }

  private lastPage(): number {
    let left = this.view;
    for (let row = this.rows - 1; row >= 0; row -= 1) {
      const height = this.heightOf(row);
      if (height >= left) return (row + (height - left) / height) * this.rowHeight;
      left -= height;
    }
    return 0;
  }

  private get ratio(): number {
    return this.bottom / Math.max(1, this.canvasHeight - this.view);
  }
}
