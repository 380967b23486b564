/** Browsers clip elements near 17.9 M px (Firefox) and 33.5 M px (Chrome); beyond this the way is scaled. */
export const TALLEST = 15_000_000;

/**
 * Where rows of equal height are, for a scroll bar whose range may be shorter than the rows are tall.
 * `top` is the position in the rows, px; `scrollTop` is what the element says. They are equal until TALLEST.
 */
export class RowScroll {
  constructor(
    readonly rows: number,
    readonly rowHeight: number,
    /** Height of the visible part, px. */
    readonly view: number,
  ) {}

  get contentHeight(): number {
    return this.rows * this.rowHeight;
  }

  /** Height of the scrolled element, px. */
  get canvasHeight(): number {
    return Math.min(this.contentHeight, TALLEST);
  }

  get scaled(): boolean {
    return this.contentHeight > TALLEST;
  }

  /** The largest `top`. */
  get bottom(): number {
    return Math.max(0, this.contentHeight - this.view);
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
    const first = Math.max(0, Math.floor(at / this.rowHeight) - overscan);
    const end = Math.min(this.rows, Math.ceil((at + this.view) / this.rowHeight) + overscan);
    return { first, end, y: this.scrollTopOf(at) - (at - first * this.rowHeight) };
  }

  clamp(top: number): number {
    return Math.min(this.bottom, Math.max(0, top));
  }

  private get ratio(): number {
    return this.bottom / Math.max(1, this.canvasHeight - this.view);
  }
}
