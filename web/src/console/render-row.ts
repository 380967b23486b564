import { applySgr, BOLD, DIM, HIDDEN, INVERSE, ITALIC, RGB, STRIKE, UNDERLINE, type Style } from "./style";

/** A stretch of one row in one style. */
export interface Run {
  text: string;
  style: Style;
}

const CONTROL = /[\x00-\x08\x0b-\x1f\x7f]/;
const WIDEST = 8192;

// A control sequence, one still under way, an operating system command (title, hyperlink), another escape, a control, text.
const TOKEN =
  /\x1b\[([0-?]*)[ -/]*([@-~])|\x1b\[[0-?]*[ -/]*$|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\|$)|\x1b[ -/]*[0-~]?|[\x00-\x08\x0b-\x1f\x7f]|[^\x00-\x08\x0b-\x1f\x7f]+/g;

/** What a terminal would show of one row: styles applied, overwritten characters gone, all other controls dropped. */
export function renderRow(text: string, style: Style): Run[] {
  if (!CONTROL.test(text)) return text === "" ? [] : [{ text, style }];
  const line = new TerminalLine(style);
  for (const match of text.matchAll(TOKEN)) {
    const [token, parameters, final] = match;
    if (final !== undefined) line.control(parameters ?? "", final);
    else if (token === "\r") line.column = 0;
    else if (token === "\b") line.column = Math.max(0, line.column - 1);
    else if (!CONTROL.test(token)) line.write(token);
  }
  return line.runs();
}

class TerminalLine {
  column = 0;
  private readonly cells: string[] = [];
  private readonly styles: Style[] = [];

  constructor(private style: Style) {}

  write(text: string): void {
    for (const character of text) {
      while (this.cells.length < this.column) this.put(this.cells.length, " ");
      this.put(this.column, character);
      this.column += 1;
    }
  }

  control(parameters: string, final: string): void {
    const count = Number.parseInt(parameters, 10);
    const move = Math.min(WIDEST, count || 1);
    if (final === "m") this.style = applySgr(this.style, parameters);
    else if (final === "C") this.column = Math.min(WIDEST, this.column + move);
    else if (final === "D") this.column = Math.max(0, this.column - move);
    else if (final === "G") this.column = move - 1;
    else if (final === "K") this.erase(count || 0);
  }

  runs(): Run[] {
    const runs: Run[] = [];
    let last: Run | null = null;
    for (let i = 0; i < this.cells.length; i += 1) {
      const style = this.styles[i]!;
      if (last && same(last.style, style)) last.text += this.cells[i];
      else runs.push((last = { text: this.cells[i]!, style }));
    }
    return runs;
  }

  private put(at: number, character: string): void {
    this.cells[at] = character;
    this.styles[at] = this.style;
  }

  private erase(part: number): void {
    if (part === 1) for (let i = 0; i < Math.min(this.column, this.cells.length); i += 1) this.put(i, " ");
    else this.cells.length = this.styles.length = part === 2 ? 0 : Math.min(this.column, this.cells.length);
  }
}

function same(a: Style, b: Style): boolean {
  return a === b || (a.fg === b.fg && a.bg === b.bg && a.flags === b.flags);
}

/** CSS for a style, by the palette of the theme; null for plain text. */
export function cssOf(style: Style): Record<string, string> | null {
  const { fg, bg, flags } = style;
  if (fg < 0 && bg < 0 && flags === 0) return null;
  const css: Record<string, string> = {};
  let ink = fg < 0 ? null : colour(fg);
  let paper = bg < 0 ? null : colour(bg);
  // On a coloured ground, black and white are meant as such, whatever the theme makes of them on its own.
  if (paper && (fg === 7 || fg === 15)) ink = "#ffffff";
  if (paper && fg === 0) ink = "#0b0f13";
  if (flags & INVERSE) [ink, paper] = [paper ?? "var(--console-bg)", ink ?? "var(--console-fg)"];
  if (flags & HIDDEN) ink = "transparent";
  if (ink) css["color"] = ink;
  if (paper) css["backgroundColor"] = paper;
  if (flags & BOLD) css["fontWeight"] = "650";
  if (flags & DIM) css["opacity"] = "0.7";
  if (flags & ITALIC) css["fontStyle"] = "italic";
  const lines = [flags & UNDERLINE ? "underline" : "", flags & STRIKE ? "line-through" : ""].join(" ").trim();
  if (lines) css["textDecoration"] = lines;
  return css;
}

/** The 16 named colours come from the theme; the cube and the greys are xterm's. */
function colour(value: number): string {
  if (value & RGB) return `#${(value & 0xffffff).toString(16).padStart(6, "0")}`;
  if (value < 16) return `var(--ansi-${value})`;
  if (value >= 232) {
    const grey = 8 + (value - 232) * 10;
    return `rgb(${grey},${grey},${grey})`;
  }
  const level = (part: number): number => (part === 0 ? 0 : 55 + part * 40);
  const cube = value - 16;
  return `rgb(${level(Math.floor(cube / 36))},${level(Math.floor(cube / 6) % 6)},${level(cube % 6)})`;
}

const WIDE = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60]|\p{Extended_Pictographic}/gu;

/** How many columns text takes, at least: CJK and emoji take two, a tab up to eight. */
export function columnsOf(text: string): number {
  return text.length + (text.match(WIDE)?.length ?? 0) + 7 * (text.split("\t").length - 1);
}
