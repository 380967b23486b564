import { columnAfter } from "./columns";
import { applySgr, BOLD, DIM, HIDDEN, INVERSE, ITALIC, RGB, STRIKE, UNDERLINE, type Style } from "./style";

/** A stretch of one row in one style. */
export interface Run {
  text: string;
  style: Style;
  /** It is among what was searched for. */
  hit?: boolean;
}

const CONTROL = /[\x00-\x08\x0b-\x1f\x7f]/;

// A style, another escape sequence or the beginning of one, a control, text.
const TOKEN = /\x1b\[([0-9;:]*)m|\x1b\[[0-?]*[ -/]*[@-~]?|\x1b|[\x00-\x08\x0b-\x1f\x7f]|[^\x00-\x08\x0b-\x1f\x7f]+/g;

/** A row's text as stretches of one style each; other controls are dropped. */
export function renderRow(text: string, style: Style): Run[] {
  if (!CONTROL.test(text)) return text === "" ? [] : [{ text, style }];
  const runs: Run[] = [];
  let now = style;
  for (const [token, parameters] of text.matchAll(TOKEN)) {
    if (parameters !== undefined) now = applySgr(now, parameters);
    else if (!CONTROL.test(token)) push(runs, { text: token, style: now });
  }
  return runs;
}

/** What runs say, without styles. */
export function textOf(runs: readonly Run[]): string {
  return runs.map((run) => run.text).join("");
}

/** Mark stretches [start, end) of the runs' text as hits; they must be in order. */
export function markRuns(runs: readonly Run[], ranges: readonly (readonly [number, number])[]): Run[] {
  if (ranges.length === 0) return [...runs];
  const marked: Run[] = [];
  let at = 0;
  let next = 0;
  for (const run of runs) {
    const end = at + run.text.length;
    while (at < end) {
      while (next < ranges.length && ranges[next]![1] <= at) next += 1;
      const [from, to] = ranges[next] ?? [end, end];
      const hit = from <= at && at < to;
      const until = Math.min(end, hit ? to : Math.max(from, at + 1));
      const text = run.text.slice(run.text.length - (end - at), run.text.length - (end - until));
      marked.push(hit ? { text, style: run.style, hit } : { text, style: run.style });
      at = until;
    }
  }
  return marked;
}

/** What is left of runs without so many units at their beginning. */
export function dropRuns(runs: readonly Run[], units: number): Run[] {
  const left: Run[] = [];
  for (const run of runs) {
    const text = run.text.slice(units);
    units = Math.max(0, units - run.text.length);
    if (text) left.push({ ...run, text });
  }
  return left;
}

/** Cut runs into lines of at most so many columns; a wide character is not cut in two. */
export function wrapRuns(runs: readonly Run[], columns: number): Run[][] {
  const lines: Run[][] = [[]];
  let at = 0;
  for (const run of runs) {
    let text = "";
    for (const character of run.text) {
      const next = columnAfter(character, at);
      if (next > columns && at > 0) {
        if (text) lines.at(-1)!.push({ ...run, text });
        text = "";
        lines.push([]);
        at = columnAfter(character, 0);
      } else at = next;
      text += character;
    }
    if (text) lines.at(-1)!.push({ ...run, text });
  }
  return lines;
}

function push(runs: Run[], run: Run): void {
  const last = runs.at(-1);
  if (last && same(last.style, run.style)) last.text += run.text;
  else runs.push(run);
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
