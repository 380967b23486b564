/** What SGR escape sequences ask for. Colours: -1 none, 0..255 of the palette, RGB | 0xRRGGBB. */
export interface Style {
  readonly fg: number;
  readonly bg: number;
  /** Sum of the flags below. */
  readonly flags: number;
}

export const BOLD = 1;
export const DIM = 2;
export const ITALIC = 4;
export const UNDERLINE = 8;
export const INVERSE = 16;
export const HIDDEN = 32;
export const STRIKE = 64;

/** Set on colours that are given as 0xRRGGBB. */
export const RGB = 1 << 24;

export const PLAIN: Style = { fg: -1, bg: -1, flags: 0 };

const ON: Record<number, number> = { 1: BOLD, 2: DIM, 3: ITALIC, 4: UNDERLINE, 7: INVERSE, 8: HIDDEN, 9: STRIKE };
const OFF: Record<number, number> = {
  21: BOLD,
  22: BOLD | DIM,
  23: ITALIC,
  24: UNDERLINE,
  27: INVERSE,
  28: HIDDEN,
  29: STRIKE,
};

/** The style after `ESC [ parameters m` (ECMA-48 8.3.117, and ITU T.416 colours with ; or :). */
export function applySgr(style: Style, parameters: string): Style {
  // "38:2::r:g:b" has an empty colour space; without it, it reads like "38;2;r;g;b".
  const codes = parameters.replace(/([34]8:2):[^:;]*:(\d*:\d*:\d)/g, "$1:$2").split(/[;:]/);
  let { fg, bg, flags } = style;
  for (let i = 0; i < codes.length; i += 1) {
    const code = Number(codes[i] || 0);
    if (code === 0) [fg, bg, flags] = [-1, -1, 0];
    else if (ON[code]) flags |= ON[code];
    else if (OFF[code]) flags &= ~OFF[code];
    else if (code >= 30 && code <= 37) fg = code - 30;
    else if (code >= 90 && code <= 97) fg = code - 82;
    else if (code === 39) fg = -1;
    else if (code >= 40 && code <= 47) bg = code - 40;
    else if (code >= 100 && code <= 107) bg = code - 92;
    else if (code === 49) bg = -1;
    else if (code === 38 || code === 48) {
      const kind = Number(codes[i + 1]);
      const rest = codes.slice(i + 2, i + 5).map((value) => Math.min(255, Number(value) || 0));
      let colour: number | null = null;
      if (kind === 5 && rest.length > 0) colour = rest[0]!;
      else if (kind === 2 && rest.length === 3) colour = RGB | (rest[0]! << 16) | (rest[1]! << 8) | rest[2]!;
      i += kind === 5 ? 2 : kind === 2 ? 4 : 1;
      if (colour !== null && code === 38) fg = colour;
      else if (colour !== null) bg = colour;
    }
  }
  return { fg, bg, flags };
}

/** The escape sequence after which a style is in force, whatever was before. */
export function sgrOf(style: Style): string {
  const codes: (number | string)[] = [0];
  for (const [code, flag] of Object.entries(ON)) if (style.flags & flag) codes.push(code);
  if (style.fg >= 0) codes.push(colourCode(38, style.fg));
  if (style.bg >= 0) codes.push(colourCode(48, style.bg));
  return `\x1b[${codes.join(";")}m`;
}

function colourCode(ground: 38 | 48, colour: number): string {
  if ((colour & RGB) === 0) return `${ground};5;${colour}`;
  return `${ground};2;${(colour >> 16) & 255};${(colour >> 8) & 255};${colour & 255}`;
}

/** Gives each distinct style a small number, so that a row remembers the one that it begins with. */
export class StyleTable {
  private readonly styles: Style[] = [PLAIN];
  private readonly ids = new Map<string, number>([[key(PLAIN), 0]]);
  private readonly moves = new Map<string, number>();

  style(id: number): Style {
    return this.styles[id] ?? PLAIN;
  }

  /** Number of the style that follows style `id` by these parameters. */
  apply(id: number, parameters: string): number {
    if (parameters === "" || parameters === "0") return 0;
    const move = `${id};${parameters}`;
    let next = this.moves.get(move);
    if (next === undefined) {
      next = this.intern(applySgr(this.style(id), parameters));
      // A film in true colour has no end of moves; they are only a shortcut.
      if (this.moves.size > 20_000) this.moves.clear();
      this.moves.set(move, next);
    }
    return next;
  }

  private intern(style: Style): number {
    const known = this.ids.get(key(style));
    if (known !== undefined) return known;
    // Rows keep 16 bits; beyond that a line that inherits its colour loses it, nothing else.
    if (this.styles.length > 0xffff) return 0;
    this.styles.push(style);
    this.ids.set(key(style), this.styles.length - 1);
    return this.styles.length - 1;
  }
}

function key(style: Style): string {
  return `${style.fg},${style.bg},${style.flags}`;
}
