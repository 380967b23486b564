import type { Chunk } from "../live/frames";
import { columnAfter } from "./columns";
import { escapeAt, type Escape } from "./escapes";
import { GroupTable, isBeginning, MARK_LENGTH, markOf, mayMark, type Group, type GroupMark } from "./groups";
import { Growing } from "./growing";
import { ROW_LIMIT, RowTable, STREAMS, type Row, type RowFacts } from "./rows";
import type { StyleTable } from "./style";
import { TerminalLine, WIDEST } from "./terminal-line";
import { TextStore } from "./text-store";

/** So many rows at the end can still be rewritten by a program that moves its cursor up. */
export const REWRITABLE = 50;

const MOVES = /[\n\r\b\x1b]/g;
const STYLES = /\x1b\[[0-9;:]*m/g;
const NEWLINE = 10;
const RETURN = 13;
const BACKSPACE = 8;

/** A row that is being rewritten. */
interface LiveRow extends RowFacts {
  line: TerminalLine;
}

/**
 * Bytes [from, next) of a log as rows, as a terminal would show them: what was overwritten is gone, and does not take
 * room. A row is a line, or the part of one that came on one stream in one step: a prompt on stdout and an error that
 * cuts in are two rows of one line. Text that moves no cursor is kept as it came, with positions of rows in it.
 */
export class LogStretch {
  /** Newlines of the log before this stretch; null while that is not known. */
  before: number | null;
  private readonly text = new TextStore();
  private readonly starts = new Growing((size) => new Float64Array(size));
  private readonly startStyles = new Growing((size) => new Uint16Array(size));
  private readonly left = new Map<number, number>();
  private readonly facts = new RowTable();
  private readonly stepRows = new Map<number, number>();
  private readonly marks = new GroupTable();
  /** The end of a chunk may have cut a mark in two. */
  private marking = false;
  /** Per stream: the style in force, and an escape sequence that the end of a chunk cut. */
  private readonly styles: number[] = [0, 0, 0];
  private readonly cut: string[] = ["", "", ""];
  /** The rows after those of `facts` while the cursor is among them, not at the end of the last. */
  private live: LiveRow[] | null = null;
  /** The cursor's row in `live`, and its column. */
  private cursor = 0;
  private column = 0;
  /** The last row has no newline yet. */
  private open = false;
  /** The last unit was a carriage return: before a newline it is nothing. */
  private returned = false;
  private broken = false;
  private stream = -1;
  private step = -1;
  private time = 0;
  private count = 0;
  private position: number;

  /** @param from byte offset of its beginning */
  constructor(
    readonly from: number,
    private readonly table: StyleTable,
    before: number | null = from === 0 ? 0 : null,
  ) {
    this.position = from;
    this.before = before;
  }

  /** The byte offset after what is held. */
  get next(): number {
    return this.position;
  }

  get rows(): number {
    return this.facts.length + (this.live?.length ?? 0);
  }

  /** How many newlines came. */
  get newlines(): number {
    return this.count;
  }

  /** The last line has no newline yet. */
  get unfinished(): boolean {
    return this.open;
  }

  /** How much text is held, in UTF-16 units. */
  get size(): number {
    return this.text.length;
  }

  append(chunk: Chunk): void {
    for (let i = 0; i < chunk.spans.length; i += 1) {
      const [, time, stream, step, index] = chunk.spans[i]!;
      const until = chunk.spans[i + 1]?.[4] ?? chunk.text.length;
      if (until > index) this.piece(chunk.text.slice(index, until), time, STREAMS.indexOf(stream), step);
    }
    this.position = chunk.next;
  }

  /** A stretch that begins where this one ends now, in the style in force; not in the midst of a line. */
  continue(): LogStretch {
    const next = new LogStretch(this.position, this.table, this.before === null ? null : this.before + this.count);
    [next.stream, next.step] = [this.stream, this.step];
    this.styles.forEach((style, stream) => (next.styles[stream] = style));
    this.cut.forEach((cut, stream) => (next.cut[stream] = cut));
    return next;
  }

  row(index: number): Row {
    const live = index - this.facts.length;
    const facts = live >= 0 ? this.live![live]! : this.facts.at(index);
    return {
      line: this.before === null ? null : this.before + facts.newlines + 1,
      continued: facts.continued,
      stream: STREAMS[facts.stream]!,
      step: facts.step,
      time: facts.time,
      ...(live >= 0 ? this.liveText(this.live![live]!.line) : this.settledText(index)),
    };
  }

  streamOf(row: number): number {
    return row < this.facts.length ? this.facts.streamAt(row) : this.live![row - this.facts.length]!.stream;
  }

  stepOf(row: number): number {
    return row < this.facts.length ? this.facts.stepAt(row) : this.live![row - this.facts.length]!.step;
  }

  /** Whether a group begins or ends at a row. */
  markAt(row: number): GroupMark {
    return this.marks.at(row);
  }

  /** Its groups by their heads. */
  groups(): Group[] {
    const firsts = [...this.stepRows.values()].sort((a, b) => a - b);
    return this.marks.groups((row) => (firsts.find((first) => first > row) ?? this.rows) - 1);
  }

  /** The row that shows what came after so many newlines of this stretch; -1 when there is none. */
  rowAfter(newlines: number): number {
    if (newlines > this.count || (newlines === this.count && !this.open)) return -1;
    const live = this.live ?? [];
    for (let i = live.length - 1; i >= 0; i -= 1) if (live[i]!.newlines <= newlines) return this.facts.length + i;
    return this.facts.rowAfter(newlines);
  }

  /** The first row of a step's output, -1 when it has none. */
  rowOfStep(step: number): number {
    return this.stepRows.get(step) ?? -1;
  }

  private settledText(row: number): Pick<Row, "text" | "style" | "omitted"> {
    const start = this.starts.at(row);
    const end = row + 1 < this.starts.length ? this.starts.at(row + 1) : this.text.length;
    let text = this.text.slice(start, Math.min(end, start + ROW_LIMIT));
    if (text.endsWith("\n")) text = text.slice(0, text.endsWith("\r\n") ? -2 : -1);
    const omitted = Math.max(0, end - start - ROW_LIMIT) + (this.left.get(row) ?? 0);
    return { text, style: this.table.style(this.startStyles.at(row)), omitted };
  }

  private liveText(line: TerminalLine): Pick<Row, "text" | "style" | "omitted"> {
    const { text, style } = line.text(this.table);
    return { text, style: this.table.style(style), omitted: line.omitted };
  }

  /** Take in what came on one stream in one step. */
  private piece(text: string, time: number, stream: number, step: number): void {
    if (step !== this.step) {
      this.styles.fill(0);
      this.cut.fill("");
    }
    if (stream !== this.stream || step !== this.step) this.leaveRow();
    [this.stream, this.step, this.time] = [stream, step, time];
    const whole = this.cut[stream]! + text;
    this.cut[stream] = "";
    const first = this.facts.length - (this.open && !this.live ? 1 : 0);
    let at = 0;
    if (this.returned) {
      this.returned = false;
      if (whole.charCodeAt(0) !== NEWLINE && this.open) this.goTo(0, 0);
    }
    while (at >= 0 && at < whole.length) at = this.live ? this.rewrite(whole, at) : this.add(whole, at);
    if (at < 0) this.cut[stream] = whole.slice(~at);
    if (this.marking || mayMark(whole)) this.mark(Math.max(0, Math.min(first, this.facts.length - REWRITABLE)));
    this.marking = this.open && !this.live && isBeginning(this.beginningOf(this.facts.length - 1));
  }

  /** Find the marks among the rows from one on. */
  private mark(from: number): void {
    this.marks.truncate(from);
    for (let row = from; row < this.facts.length; row += 1) this.markRow(row);
  }

  private markRow(row: number): void {
    const mark = STREAMS[this.facts.streamAt(row)] === "system" ? null : markOf(this.beginningOf(row));
    if (mark) this.marks.push(row, mark);
  }

  private beginningOf(row: number): string {
    const start = this.starts.at(row);
    const end = row + 1 < this.starts.length ? this.starts.at(row + 1) : this.text.length;
    return this.text.slice(start, Math.min(end, start + MARK_LENGTH));
  }

  /** Another stream or step begins: it goes on in a row of its own. */
  private leaveRow(): void {
    this.settle();
    this.returned = false;
    this.broken ||= this.open;
    this.open = false;
  }

  /** Take in text at the end of the last row; returns where something else begins, ~index of an escape that is cut. */
  private add(text: string, from: number): number {
    let kept = from;
    let at = from;
    for (;;) {
      MOVES.lastIndex = at;
      const found = MOVES.test(text) ? MOVES.lastIndex - 1 : text.length;
      if (found > at && !this.open) this.begin(this.text.length + at - kept);
      if (found === text.length) {
        this.keep(text, kept, found);
        return found;
      }
      const code = text.charCodeAt(found);
      if (code === NEWLINE || (code === RETURN && text.charCodeAt(found + 1) === NEWLINE)) {
        if (!this.open) this.begin(this.text.length + found - kept);
        this.open = false;
        this.count += 1;
        at = found + (code === NEWLINE ? 1 : 2);
        continue;
      }
      const escape = code === 0x1b ? escapeAt(text, found) : undefined;
      // A style is kept in the text of its row, but none where a row has yet to begin, as it may not.
      if (escape?.final === "m" && (this.open || text.charCodeAt(escape.end) >= 0x20)) {
        if (!this.open) this.begin(this.text.length + found - kept);
        this.restyle(escape);
        at = escape.end;
        continue;
      }
      // Everything else is no text: what stands before it is kept, and after it, it goes on.
      this.keep(text, kept, found);
      if (escape === null) return ~found;
      kept = at = escape ? escape.end : found + 1;
      if (escape?.final === "m") this.restyle(escape);
      else if (escape) this.control(escape);
      else if (code === RETURN && at === text.length) this.returned = true;
      else if (this.open) this.goTo(0, code === RETURN ? 0 : Math.max(0, this.columnNow() - 1));
      if (this.live) return at;
    }
  }

  private keep(text: string, from: number, to: number): void {
    if (to > from) this.text.append(from === 0 && to === text.length ? text : text.slice(from, to));
  }

  /** Take in one stretch of text, or one move, while the cursor is among the live rows. */
  private rewrite(text: string, at: number): number {
    MOVES.lastIndex = at;
    const found = MOVES.test(text) ? MOVES.lastIndex - 1 : text.length;
    if (found > at) {
      this.column = this.live![this.cursor]!.line.write(text.slice(at, found), this.column, this.styles[this.stream]!);
      return found;
    }
    const code = text.charCodeAt(found);
    if (code === NEWLINE) this.newline();
    else if (code === RETURN) this.column = 0;
    else if (code === BACKSPACE) this.column = Math.max(0, this.column - 1);
    else {
      const escape = escapeAt(text, found);
      if (escape === null) return ~found;
      if (escape.final === "m") this.restyle(escape);
      else this.control(escape);
      return escape.end;
    }
    return found + 1;
  }

  private newline(): void {
    this.count += 1;
    this.column = 0;
    this.cursor += 1;
    if (this.cursor < this.live!.length) return;
    this.open = false;
    this.settle();
  }

  private restyle({ parameters }: Escape): void {
    if (!isPrivate(parameters)) this.styles[this.stream] = this.table.apply(this.styles[this.stream]!, parameters);
  }

  /** Cursor moves and erasing. Those that need the height of a screen are nothing to us. */
  private control({ final, parameters }: Escape): void {
    if (isPrivate(parameters)) return;
    const count = Number.parseInt(parameters, 10) || 0;
    const move = Math.min(WIDEST, count || 1);
    if (final === "A" || final === "\x1bM") this.goTo(final === "A" ? move : 1, this.columnNow());
    else if (final === "F") this.goTo(move, 0);
    else if (final === "B") this.goTo(-move, this.columnNow());
    else if (final === "E") this.goTo(-move, 0);
    else if (final === "C") this.goTo(0, Math.min(WIDEST, this.columnNow() + move));
    else if (final === "D") this.goTo(0, Math.max(0, this.columnNow() - move));
    else if (final === "G" || final === "`") this.goTo(0, move - 1);
    else if (final === "K") this.eraseInLine(count);
    else if (this.live && final === "J" && count === 0) this.eraseBelow();
    else if (this.live && final === "P") this.live[this.cursor]!.line.delete(this.column, move);
    else if (this.live && final === "X") this.live[this.cursor]!.line.blank(this.column, move);
  }

  private eraseInLine(part: number): void {
    // The usual one, at the end of a line, has nothing to erase.
    if (!this.live && (part === 0 || !this.open)) return;
    if (!this.live) this.goTo(0, this.columnNow());
    this.live![this.cursor]!.line.erase(part, this.column);
  }

  private eraseBelow(): void {
    this.live![this.cursor]!.line.erase(0, this.column);
    this.live!.length = this.cursor + 1;
    this.open = true;
  }

  private columnNow(): number {
    if (this.live) return this.column;
    if (!this.open) return 0;
    return columnAfter(this.text.slice(this.starts.at(this.starts.length - 1), this.text.length).replace(STYLES, ""));
  }

  /** Move the cursor up so many rows (negative: down), as far as they can be rewritten, and to a column. */
  private goTo(up: number, column: number): void {
    if (!this.live) {
      if (up <= 0 && !this.open) {
        if (column > 0) this.beginLive(column);
        return;
      }
      const end = this.columnNow();
      this.live = [];
      this.cursor = 0;
      if (this.open) {
        this.take(1);
        this.cursor = 0;
        this.live[0]!.line.reach(end);
      }
    }
    if (up > this.cursor) this.take(up - this.cursor);
    const lowest = this.live.length - (this.open ? 1 : 0);
    this.cursor = Math.min(lowest, Math.max(0, this.cursor - up));
    this.column = column;
    if (this.cursor === this.live.length) this.settle();
  }

  private begin(start: number): void {
    this.noteStep();
    this.facts.push(this.newRow());
    this.starts.push(start);
    this.startStyles.push(this.styles[this.stream]!);
  }

  private beginLive(column: number): void {
    this.noteStep();
    this.live = [{ ...this.newRow(), line: new TerminalLine() }];
    this.cursor = 0;
    this.column = column;
  }

  private newRow(): RowFacts {
    const continued = this.broken;
    this.broken = false;
    this.open = true;
    return { newlines: this.count, time: this.time, stream: this.stream, continued, step: this.step };
  }

  private noteStep(): void {
    if (!this.stepRows.has(this.step)) this.stepRows.set(this.step, this.rows);
  }

  /** Make the last so many settled rows live, as far as they are of the stream and step at hand. */
  private take(count: number): void {
    const live = this.live!;
    const least = Math.max(0, this.facts.length - Math.min(count, REWRITABLE - live.length));
    let row = this.facts.length;
    while (row > least && this.facts.streamAt(row - 1) === this.stream && this.facts.stepAt(row - 1) === this.step) {
      row -= 1;
      live.unshift({ ...this.facts.at(row), line: this.lineOf(row) });
      this.text.truncate(this.starts.at(row));
      for (const column of [this.starts, this.startStyles, this.facts]) column.truncate(row);
      this.left.delete(row);
      this.marks.truncate(row);
      this.cursor += 1;
    }
  }

  private lineOf(row: number): TerminalLine {
    const start = this.starts.at(row);
    const text = this.text.slice(start, Math.min(this.text.length, start + 4 * ROW_LIMIT));
    const line = new TerminalLine();
    let style = this.startStyles.at(row);
    let column = 0;
    let at = 0;
    for (const { 0: escape, index } of text.matchAll(STYLES)) {
      column = line.write(text.slice(at, index), column, style);
      style = this.table.apply(style, escape.slice(2, -1));
      at = index + escape.length;
    }
    column = line.write(text.slice(at), column, style);
    line.reach(column + (this.left.get(row) ?? 0));
    return line;
  }

  /** The live rows will not be rewritten for now: keep them as text. The cursor is after them. */
  private settle(): void {
    for (const row of this.live ?? []) {
      const { text, style } = row.line.text(this.table);
      if (row.line.omitted > 0) this.left.set(this.facts.length, row.line.omitted);
      this.facts.push(row);
      this.starts.push(this.text.length);
      this.startStyles.push(style);
      this.text.append(text);
      this.markRow(this.facts.length - 1);
    }
    this.live = null;
  }
}

/** Sequences that only some terminals know: "?25" and the like, or with a blank before the final character. */
function isPrivate(parameters: string): boolean {
  return parameters.charCodeAt(0) >= 0x3c || parameters.charCodeAt(parameters.length - 1) < 0x30;
}
