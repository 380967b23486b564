import type { StreamName } from "../api/types";
import type { Chunk, Gap } from "../live/frames";
import { LogStretch } from "./log-stretch";
import { STREAMS, type Row } from "./rows";
import { ShownRows } from "./shown-rows";
import { StyleTable } from "./style";

/** A stretch that has grown so far is continued by another, so that it can be let go of, UTF-16 units. */
const LONG = 16 << 20;
/** What is held at most, UTF-16 units; what is far from the view is let go of, and loaded again when it is looked at. */
const MOST = 192 << 20;

const NONE: ReadonlySet<number> = new Set();

/** What one place of the console shows: a row of a stretch, or bytes that are not here. */
export type Item = { key: string; row: Row; begins: boolean; group: GroupState } | { key: string; gap: Gap };

/** What a row is to the groups of its log: the head of one, that is shown or folded, or the end of one. */
export type GroupState = "open" | "folded" | "ends" | null;

/** A place that stays the same when rows come and go elsewhere. */
export interface Place {
  /** Byte offset at which its stretch begins. */
  from: number;
  /** The stretch's own count. */
  row: number;
}

interface Part {
  first: number;
  count: number;
  from: number;
  stretch: LogStretch | null;
  gap: Gap | null;
  shown: ShownRows | null;
}

/**
 * A log as rows: the stretches of it that are here, in order, and a row for each gap between them.
 * One stretch, the last, grows as the log does; the others were loaded because somebody looked there.
 */
export class LogModel {
  private readonly table = new StyleTable();
  private stretches: LogStretch[];
  private wanted: ReadonlySet<number> | null = null;
  private shown = new WeakMap<LogStretch, ShownRows>();
  private folded = new WeakMap<LogStretch, Set<number>>();
  private parts: Part[] | null = null;

  /** @param from byte offset at which following begins */
  constructor(from = 0) {
    this.stretches = [new LogStretch(from, this.table)];
  }

  /** The byte offset after what came live. */
  get next(): number {
    return this.last.next;
  }

  get rows(): number {
    const last = this.layout().at(-1);
    return last ? last.first + last.count : 0;
  }

  /** How many lines the log has as far as it came; null while nobody knows. */
  get lines(): number | null {
    const { before, newlines, unfinished } = this.last;
    return before === null ? null : before + newlines + (unfinished ? 1 : 0);
  }

  /** How much text is held, in UTF-16 units. */
  get size(): number {
    return this.stretches.reduce((sum, stretch) => sum + stretch.size, 0);
  }

  /** Where bytes are missing. */
  get gaps(): Gap[] {
    return this.layout().flatMap((part) => part.gap ?? []);
  }

  /** The stretches whose line numbers are unknown, by their first bytes. */
  get unnumbered(): number[] {
    return this.stretches.filter((stretch) => stretch.before === null).map((stretch) => stretch.from);
  }

  /** Take in what comes next. */
  append(chunk: Chunk): void {
    this.grow(this.last, chunk);
    this.parts = null;
  }

  /** Bytes up to `to` will not come by themselves. */
  skip(to: number): void {
    if (to <= this.next) return;
    if (this.last.next === this.last.from) this.stretches.pop();
    this.stretches.push(new LogStretch(to, this.table));
    this.renumber();
  }

  /** Take in what was loaded into a gap; false when it does not belong into one (any more). */
  fill(chunk: Chunk, before: number | null = null): boolean {
    const gap = this.gaps.find((item) => chunk.offset >= item.from && chunk.next <= item.to);
    if (!gap || chunk.next <= chunk.offset) return false;
    const after = this.stretches.findIndex((stretch) => stretch.from >= chunk.next);
    const previous = this.stretches[after - 1];
    if (previous && previous.next === chunk.offset) this.grow(previous, chunk);
    else {
      const stretch = new LogStretch(chunk.offset, this.table, chunk.offset === 0 ? 0 : before);
      stretch.append(chunk);
      this.stretches.splice(after, 0, stretch);
    }
    this.renumber();
    return true;
  }

  /** Say how many newlines there are before the stretch that begins at a byte. */
  number(from: number, before: number): void {
    const found = this.stretches.find((stretch) => stretch.from === from);
    if (found) found.before = before;
    this.renumber();
  }

  /** Let go of what is over the limit and far from `place`; true when rows have gone. */
  trim(place: Place | null, most = MOST): boolean {
    let gone = false;
    while (this.size > most) {
      const index = this.stretches.findIndex((item) => item !== this.last && item.from !== place?.from);
      if (index < 0) break;
      this.stretches.splice(index, 1);
      gone = true;
    }
    if (gone) this.parts = null;
    return gone;
  }

  /** Show only what came on these streams; null for all. */
  filter(streams: readonly StreamName[] | null): void {
    this.wanted = streams && new Set(streams.map((stream) => STREAMS.indexOf(stream)));
    this.shown = new WeakMap();
    this.parts = null;
  }

  item(index: number): Item {
    const part = this.partAt(index);
    if (part.gap) return { key: `gap ${part.from}`, gap: part.gap };
    const stretch = part.stretch!;
    const own = this.ownRow(part, index);
    const row = stretch.row(own);
    if (own === 0 && this.beforeOf(stretch)?.unfinished) row.continued = true;
    const begins = index > 0 && stretch.rowOfStep(row.step) === own && this.firstOfStep(row.step) === stretch;
    return { key: `${part.from} ${own}`, row, begins, group: this.groupAt(stretch, own) };
  }

  /** Fold the group whose head stands at an index, or unfold it. */
  toggle(index: number): void {
    const part = this.partAt(index);
    const own = this.ownRow(part, index);
    if (part.stretch?.markAt(own) !== "begins") return;
    const folded = new Set(this.folded.get(part.stretch));
    if (!folded.delete(own)) folded.add(own);
    this.fold(part.stretch, folded);
  }

  /** Unfold what hides a line. */
  reveal(line: number): void {
    for (const stretch of this.stretches) {
      const folded = this.folded.get(stretch);
      if (!folded?.size || stretch.before === null || line <= stretch.before) continue;
      const row = stretch.rowAfter(line - 1 - stretch.before);
      const hiding = stretch.groups().filter(({ head, last }) => folded.has(head) && head < row && row <= last);
      if (hiding.length === 0) continue;
      for (const { head } of hiding) folded.delete(head);
      this.fold(stretch, folded);
    }
  }

  /** Do something while no group is folded. */
  unfolded<T>(work: () => T): T {
    const { folded, shown } = this;
    [this.folded, this.shown, this.parts] = [new WeakMap(), new WeakMap(), null];
    try {
      return work();
    } finally {
      [this.folded, this.shown, this.parts] = [folded, shown, null];
    }
  }

  /** The place at an index, to find it again with `indexOf`. A gap is the place after the stretch before it. */
  placeOf(index: number): Place | null {
    if (this.rows === 0) return null;
    const part = this.partAt(Math.min(this.rows - 1, Math.max(0, index)));
    if (part.stretch) return { from: part.from, row: this.ownRow(part, Math.min(index, part.first + part.count - 1)) };
    const before = this.layout()[this.layout().indexOf(part) - 1]?.stretch;
    return before ? { from: before.from, row: before.rows } : { from: 0, row: 0 };
  }

  /** Where a place is now. */
  indexOf({ from, row }: Place): number {
    const parts = this.layout();
    const part = parts.find((item) => item.stretch && item.from === from);
    if (!part) return parts.find((item) => item.from >= from)?.first ?? Math.max(0, this.rows - 1);
    return row >= part.stretch!.rows ? part.first + part.count : this.shownIndex(part, row);
  }

  /** The row that shows a line, the next one that is shown when it is filtered out; -1 when the line is not here. */
  rowOfLine(line: number): number {
    for (const part of this.layout()) {
      const stretch = part.stretch;
      if (!stretch || stretch.before === null || line <= stretch.before) continue;
      const row = stretch.rowAfter(line - 1 - stretch.before);
      if (row >= 0) return this.shownIndex(part, row);
    }
    return -1;
  }

  /** The first row of a step's output that is here, -1 for none. */
  rowOfStep(step: number): number {
    const stretch = this.firstOfStep(step);
    const part = this.layout().find((item) => item.stretch === stretch);
    return stretch && part ? this.shownIndex(part, stretch.rowOfStep(step)) : -1;
  }

  /** Whether the first row of a step is surely the step's first: what comes before it is here. */
  hasBeginningOf(step: number): boolean {
    const stretch = this.firstOfStep(step);
    return stretch !== undefined && (stretch.rowOfStep(step) > 0 || stretch.from === 0 || this.beforeOf(stretch) !== undefined);
  }

  /** The step that a row belongs to; null for a gap. */
  stepOfRow(index: number): number | null {
    const part = this.partAt(index);
    return part.stretch ? part.stretch.stepOf(this.ownRow(part, index)) : null;
  }

  private fold(stretch: LogStretch, folded: Set<number>): void {
    this.folded.set(stretch, folded);
    this.shown.delete(stretch);
    this.parts = null;
  }

  private groupAt(stretch: LogStretch, row: number): GroupState {
    const mark = stretch.markAt(row);
    if (mark === "begins") return this.folded.get(stretch)?.has(row) ? "folded" : "open";
    return mark;
  }

  private get last(): LogStretch {
    return this.stretches.at(-1)!;
  }

  private grow(stretch: LogStretch, chunk: Chunk): void {
    if (stretch.size < LONG || stretch.unfinished) {
      stretch.append(chunk);
      return;
    }
    const next = stretch.continue();
    next.append(chunk);
    this.stretches.splice(this.stretches.indexOf(stretch) + 1, 0, next);
  }

  private firstOfStep(step: number): LogStretch | undefined {
    return this.stretches.find((stretch) => stretch.rowOfStep(step) >= 0);
  }

  /** The stretch that ends where this one begins. */
  private beforeOf(stretch: LogStretch): LogStretch | undefined {
    const previous = this.stretches[this.stretches.indexOf(stretch) - 1];
    return previous?.next === stretch.from ? previous : undefined;
  }

  /** Stretches that touch know each other's line numbers. */
  private renumber(): void {
    this.parts = null;
    for (const stretch of this.stretches) {
      const previous = this.beforeOf(stretch);
      if (previous && previous.before !== null) stretch.before = previous.before + previous.newlines;
    }
    for (const stretch of [...this.stretches].reverse()) {
      const previous = this.beforeOf(stretch);
      if (previous && stretch.before !== null) previous.before = stretch.before - previous.newlines;
    }
  }

  private layout(): Part[] {
    if (this.parts) return this.parts;
    const parts: Part[] = [];
    let first = 0;
    let at = 0;
    for (const stretch of this.stretches) {
      if (stretch.from > at) {
        parts.push({ first, count: 1, from: at, stretch: null, gap: { from: at, to: stretch.from }, shown: null });
        first += 1;
      }
      const shown = this.shownOf(stretch);
      const count = shown ? shown.length : stretch.rows;
      parts.push({ first, count, from: stretch.from, stretch, gap: null, shown });
      first += count;
      at = stretch.next;
    }
    this.parts = parts;
    return parts;
  }

  private shownOf(stretch: LogStretch): ShownRows | null {
    const folded = this.folded.get(stretch) ?? NONE;
    if (!this.wanted && folded.size === 0) return null;
    let shown = this.shown.get(stretch);
    if (!shown) this.shown.set(stretch, (shown = new ShownRows(stretch, this.wanted, folded)));
    shown.update();
    return shown;
  }

  private partAt(index: number): Part {
    const parts = this.layout();
    let low = 0;
    let high = parts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (parts[middle]!.first <= index) low = middle;
      else high = middle - 1;
    }
    return parts[low]!;
  }

  private ownRow(part: Part, index: number): number {
    const own = index - part.first;
    return part.shown ? part.shown.at(own) : own;
  }

  private shownIndex(part: Part, row: number): number {
    return part.first + (part.shown ? part.shown.indexFrom(row) : Math.min(row, Math.max(0, part.count - 1)));
  }
}
