import { columnsOfCharacter, nextTab } from "./columns";
import { sgrOf, type StyleTable } from "./style";

/** The columns of a line that are kept; what a program writes beyond them is only counted. */
export const WIDEST = 8192;

const LONGEST_CELL = 16;
const SECOND_HALF = "";

/** One line that is being rewritten, as a terminal without a right edge holds it: a character and a style for each column. */
export class TerminalLine {
  private readonly cells: string[] = [];
  private readonly styles: number[] = [];
  private end = 0;

  /** How many columns were written beyond WIDEST. */
  get omitted(): number {
    return Math.max(0, this.end - WIDEST);
  }

  /** Write over what is at `column` and after; returns the column after the text. Controls other than tabs are dropped. */
  write(text: string, column: number, style: number): number {
    let at = column;
    for (const character of text) {
      if (character === "\t") at = nextTab(at);
      else if (character >= " " && character !== "\x7f") at += this.put(character, at, style);
    }
    return at;
  }

  /** Something was written up to this column, which is not kept. */
  reach(column: number): void {
    this.end = Math.max(this.end, column);
  }

  /** Control sequence `K`: 0 from the column on, 1 up to and with it, 2 all. */
  erase(part: number, column: number): void {
    if (part === 1) this.blank(0, column + 1);
    else this.cut(part === 2 ? 0 : column);
  }

  /** Make `count` columns blank, and leave the rest where it is. */
  blank(from: number, count: number): void {
    const until = Math.min(this.cells.length, from + count);
    for (let at = from; at < until; at += 1) this.set(at, " ", 0);
  }

  /** Take out `count` columns; what follows moves up. */
  delete(from: number, count: number): void {
    if (from >= this.cells.length) return;
    this.split(from);
    this.split(from + count);
    this.cells.splice(from, count);
    this.styles.splice(from, count);
    this.end = this.cells.length;
  }

  /** As text with escape sequences for its styles, without blanks at its end. */
  text(table: StyleTable): { text: string; style: number } {
    let end = this.cells.length;
    while (end > 0 && this.cells[end - 1] === " " && invisible(this.styles[end - 1]!, table)) end -= 1;
    const first = this.styles[0] ?? 0;
    let style = first;
    let text = "";
    for (let at = 0; at < end; at += 1) {
      const own = this.styles[at]!;
      if (own !== style) text += sgrOf(table.style((style = own)));
      text += this.cells[at];
    }
    return { text, style: end > 0 ? first : 0 };
  }

  private put(character: string, column: number, style: number): number {
    const columns = columnsOfCharacter(character);
    if (columns === 0) {
      this.join(character, column - 1);
      return 0;
    }
    this.end = Math.max(this.end, column + columns);
    if (column + columns > WIDEST) return columns;
    while (this.cells.length < column) this.set(this.cells.length, " ", 0);
    this.set(column, character, style);
    if (columns === 2) {
      this.split(column + 2);
      this.cells[column + 1] = SECOND_HALF;
      this.styles[column + 1] = style;
    }
    return columns;
  }

  /** A mark that belongs to the character before it. */
  private join(mark: string, column: number): void {
    const at = this.cells[column] === SECOND_HALF ? column - 1 : column;
    const cell = this.cells[at];
    if (cell && cell.length < LONGEST_CELL) this.cells[at] = cell + mark;
  }

  private cut(column: number): void {
    this.split(column);
    this.cells.length = this.styles.length = Math.min(column, this.cells.length);
    this.end = Math.min(this.end, column);
  }

  private set(at: number, character: string, style: number): void {
    this.split(at);
    this.split(at + 1);
    this.cells[at] = character;
    this.styles[at] = style;
  }

  /** Between two columns there shall be no wide character: one that is there becomes two blanks. */
  private split(column: number): void {
    if (this.cells[column] === SECOND_HALF) this.cells[column] = this.cells[column - 1] = " ";
  }
}

function invisible(id: number, table: StyleTable): boolean {
  const { bg, flags } = table.style(id);
  return bg < 0 && flags === 0;
}
