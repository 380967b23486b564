import type { StreamName } from "../api/types";
import { Growing } from "./growing";
import type { Style } from "./style";

/** The most of one row that is drawn, in UTF-16 units; the whole is in the download. */
export const ROW_LIMIT = 8192;

/** A line of a log, or a part of one, as it is shown. */
export interface Row {
  /** Counts newlines of the log, from 1, as the server does; null while it is not known where in the log this is. */
  line: number | null;
  /** The line began on another row, in another stream or step. */
  continued: boolean;
  stream: StreamName;
  step: number;
  /** Epoch ms. */
  time: number;
  /** Without controls, but for escape sequences of styles. */
  text: string;
  /** The style in force where the text begins. */
  style: Style;
  /** How many UTF-16 units after the text are left out. */
  omitted: number;
}

export const STREAMS: readonly StreamName[] = ["stdout", "stderr", "system"];

/** What is known of a row besides its text. */
export interface RowFacts {
  /** Newlines before it in its stretch. */
  newlines: number;
  time: number;
  /** Index into STREAMS. */
  stream: number;
  continued: boolean;
  step: number;
}

const CONTINUED = 4;

/** The facts of rows, in arrays of numbers instead of an object for each. */
export class RowTable {
  private readonly newlines = new Growing((size) => new Float64Array(size));
  private readonly times = new Growing((size) => new Float64Array(size));
  private readonly kinds = new Growing((size) => new Uint8Array(size));
  private readonly steps = new Growing((size) => new Uint16Array(size));

  get length(): number {
    return this.kinds.length;
  }

  push(facts: RowFacts): void {
    this.newlines.push(facts.newlines);
    this.times.push(facts.time);
    this.kinds.push(facts.stream | (facts.continued ? CONTINUED : 0));
    this.steps.push(facts.step);
  }

  at(row: number): RowFacts {
    const kind = this.kinds.at(row);
    return {
      newlines: this.newlines.at(row),
      time: this.times.at(row),
      stream: kind & 3,
      continued: (kind & CONTINUED) !== 0,
      step: this.steps.at(row),
    };
  }

  streamAt(row: number): number {
    return this.kinds.at(row) & 3;
  }

  stepAt(row: number): number {
    return this.steps.at(row);
  }

  /** The first row of the last line that begins after at most so many newlines; -1 for none. */
  rowAfter(newlines: number): number {
    const last = this.newlines.lastAtMost(newlines);
    return last < 0 ? -1 : this.newlines.lastAtMost(this.newlines.at(last) - 1) + 1;
  }

  truncate(length: number): void {
    for (const column of [this.newlines, this.times, this.kinds, this.steps]) column.truncate(length);
  }
}
