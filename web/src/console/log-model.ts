import type { StreamName } from "../api/types";
import type { Chunk } from "../live/frames";
import { Growing } from "./growing";
import { StyleTable, type Style } from "./style";
import { TextStore } from "./text-store";

const STREAMS: StreamName[] = ["stdout", "stderr", "system"];
const CONTINUED = 4;
const ESC = "\x1b";
const LONGEST_ESCAPE = 256;

/** The most of one row that is drawn, in UTF-16 units; the whole is in the download. */
export const ROW_LIMIT = 8192;

export interface Row {
  /** Counts newlines of the log, from 1, as the server does. */
  line: number;
  /** The line began on another row, in another stream or step. */
  continued: boolean;
  stream: StreamName;
  step: number;
  /** Epoch ms. */
  time: number;
  text: string;
  /** The style in force where the text begins. */
  style: Style;
  /** How many UTF-16 units after the text are left out. */
  omitted: number;
}

/**
 * A log as rows. A row is a line, or the part of one that came on one stream in one step: a prompt on stdout
 * and an error that cuts in are two rows of one line. Rows are positions in the text; what they look like is
 * worked out when they are seen. The last row may be under construction.
 */
export class LogModel {
  private readonly text = new TextStore();
  private readonly starts = new Growing((size) => new Float64Array(size));
  private readonly lineNumbers = new Growing((size) => new Uint32Array(size));
  private readonly times = new Growing((size) => new Float64Array(size));
  private readonly kinds = new Growing((size) => new Uint8Array(size));
  private readonly steps = new Growing((size) => new Uint16Array(size));
  private readonly styles = new Growing((size) => new Uint16Array(size));
  private readonly table = new StyleTable();
  private readonly stepRows = new Map<number, number>();
  /** Per stream: the style in force, and an escape sequence that the end of a chunk cut. */
  private readonly current = [0, 0, 0];
  private readonly cut = ["", "", ""];
  private open = false;
  private stream = -1;
  private step = -1;
  private newlines = 0;
  private position: number;

  /** @param from byte offset at which the log is shown from */
  constructor(readonly from = 0) {
    this.position = from;
  }

  /** The byte offset after what is held. */
  get next(): number {
    return this.position;
  }

  get rows(): number {
    return this.starts.length;
  }

  /** How many lines are there, the one under construction included. */
  get lines(): number {
    return this.rows === 0 ? 0 : this.lineNumbers.at(this.rows - 1);
  }

  /** How much text is held, in UTF-16 units. */
  get size(): number {
    return this.text.length;
  }

  append(chunk: Chunk): void {
    for (let i = 0; i < chunk.spans.length; i += 1) {
      const [, time, stream, step, index] = chunk.spans[i]!;
      const until = chunk.spans[i + 1]?.[4] ?? chunk.text.length;
      if (until > index) this.piece(chunk.text.slice(index, until), index, time, STREAMS.indexOf(stream), step);
    }
    this.text.append(chunk.text);
    this.position = chunk.next;
  }

  row(index: number): Row {
    const start = this.starts.at(index);
    const end = index + 1 < this.rows ? this.starts.at(index + 1) : this.text.length;
    const kind = this.kinds.at(index);
    const row: Row = {
      line: this.lineNumbers.at(index),
      continued: (kind & CONTINUED) !== 0,
      stream: STREAMS[kind & 3]!,
      step: this.steps.at(index),
      time: this.times.at(index),
      text: this.text.slice(start, Math.min(end, start + ROW_LIMIT)),
      style: this.table.style(this.styles.at(index)),
      omitted: Math.max(0, end - start - ROW_LIMIT),
    };
    if (row.omitted > 0) {
      // A progress bar that rewrites its line: what counts is the end.
      const tail = this.text.slice(end - ROW_LIMIT, end);
      const rewritten = tail.indexOf("\r");
      if (rewritten >= 0 && rewritten < tail.length - 2) {
        row.text = tail.slice(rewritten + 1);
        row.omitted = 0;
      }
    }
    if (row.text.endsWith("\n")) row.text = row.text.slice(0, row.text.endsWith("\r\n") ? -2 : -1);
    return row;
  }

  /** The first row of a line, -1 when it is not there. */
  rowOfLine(line: number): number {
    if (line < 1 || line > this.lines) return -1;
    return this.lineNumbers.lastAtMost(line - 1) + 1;
  }

  /** The first row of a step's output, -1 when it has none. */
  rowOfStep(step: number): number {
    return this.stepRows.get(step) ?? -1;
  }

  /** The step that a row belongs to. */
  stepOfRow(row: number): number {
    return this.steps.at(row);
  }

  /** Take in what came on one stream in one step, `start` units into the chunk that is being appended. */
  private piece(text: string, start: number, time: number, stream: number, step: number): void {
    if (step !== this.step) {
      this.current.fill(0);
      this.cut.fill("");
    }
    let broken = this.open && (stream !== this.stream || step !== this.step);
    if (broken) this.open = false;
    this.stream = stream;
    this.step = step;
    let escape = this.firstEscape(text, stream);
    for (let at = 0; at < text.length; ) {
      if (!this.open) this.begin(this.text.length + start + at, time, broken);
      broken = false;
      const newline = text.indexOf("\n", at);
      const end = newline < 0 ? text.length : newline + 1;
      while (escape >= 0 && escape < end) escape = this.escape(text, escape, stream);
      this.open = newline < 0;
      if (newline >= 0) this.newlines += 1;
      at = end;
    }
  }

  private begin(start: number, time: number, continued: boolean): void {
    if (!this.stepRows.has(this.step)) this.stepRows.set(this.step, this.rows);
    this.starts.push(start);
    this.lineNumbers.push(this.newlines + 1);
    this.times.push(time);
    this.kinds.push(this.stream | (continued ? CONTINUED : 0));
    this.steps.push(this.step);
    this.styles.push(this.current[this.stream]!);
    this.open = true;
  }

  /** Take in one escape sequence and return where the next begins, -1 for none. */
  private escape(text: string, at: number, stream: number): number {
    const end = endOfCsi(text, at);
    if (end === CUT) {
      this.cut[stream] = text.slice(at, at + LONGEST_ESCAPE);
      return -1;
    }
    this.take(text.slice(at, end), stream);
    return text.indexOf(ESC, Math.max(end, at + 1));
  }

  /** Where the first escape sequence begins, after the rest of one that the last piece cut. */
  private firstEscape(text: string, stream: number): number {
    const cut = this.cut[stream]!;
    if (cut === "") return text.indexOf(ESC);
    this.cut[stream] = "";
    const joined = cut + text.slice(0, LONGEST_ESCAPE);
    const end = endOfCsi(joined, 0);
    if (end === CUT && joined.length < LONGEST_ESCAPE) {
      this.cut[stream] = joined;
      return -1;
    }
    if (end <= cut.length) return text.indexOf(ESC);
    this.take(joined.slice(0, end), stream);
    return text.indexOf(ESC, end - cut.length);
  }

  private take(sequence: string, stream: number): void {
    if (sequence.endsWith("m")) this.current[stream] = this.table.apply(this.current[stream]!, sequence.slice(2, -1));
  }
}

const NO_CSI = 0;
const CUT = -1;

/** Where the control sequence that begins at `at` ends; NO_CSI when it is none, CUT when the text ends first. */
function endOfCsi(text: string, at: number): number {
  if (at + 1 >= text.length) return CUT;
  if (text[at + 1] !== "[") return NO_CSI;
  for (let i = at + 2; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code >= 0x40 && code <= 0x7e) return i + 1;
    if (code < 0x20) return NO_CSI;
  }
  return CUT;
}
