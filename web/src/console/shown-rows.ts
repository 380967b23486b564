import { Growing } from "./growing";
import { REWRITABLE, type LogStretch } from "./log-stretch";

/** Which rows of a stretch are shown: those that came on the streams that are wanted, but for those of folded groups. */
export class ShownRows {
  private readonly rows = new Growing((size) => new Float64Array(size));
  private seen = 0;

  /**
   * @param wanted indexes of streams; null for all
   * @param folded the heads of folded groups
   */
  constructor(
    private readonly stretch: LogStretch,
    private readonly wanted: ReadonlySet<number> | null,
    private readonly folded: ReadonlySet<number>,
  ) {}

  get length(): number {
    return this.rows.length;
  }

  at(index: number): number {
    return this.rows.at(index);
  }

  /** Index of the first one that is at least `row`. */
  indexFrom(row: number): number {
    return Math.min(this.rows.lastAtMost(row - 1) + 1, Math.max(0, this.length - 1));
  }

  /** Look at the rows that came, and at those that may have gone, since the last time. */
  update(): void {
    const from = Math.max(0, Math.min(this.seen, this.stretch.rows) - REWRITABLE);
    this.rows.truncate(this.rows.lastAtMost(from - 1) + 1);
    const hidden = this.folded.size > 0 ? this.stretch.groups().filter((group) => this.folded.has(group.head)) : [];
    let next = 0;
    for (let row = from; row < this.stretch.rows; row += 1) {
      while (next < hidden.length && hidden[next]!.last < row) next += 1;
      const group = hidden[next];
      if (group && group.head < row) {
        row = group.last;
        continue;
      }
      if (!this.wanted || this.wanted.has(this.stretch.streamOf(row))) this.rows.push(row);
    }
    this.seen = this.stretch.rows;
  }
}
