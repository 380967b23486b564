/** An escape sequence of ECMA-48, taken out of text. */
export interface Escape {
  /** Index after its last unit. */
  end: number;
  /** The final character of a control sequence (CSI), or `ESC` and the character for a short one; "" for all others. */
  final: string;
  /** What stands between `ESC [` and the final character. */
  parameters: string;
}

/** Longer ones are no escape sequences: their introducer is dropped and the rest is text. */
export const LONGEST_ESCAPE = 4096;

const ESC = 0x1b;

/** The escape sequence whose `ESC` is at `at`; null when the text ends before it does. */
export function escapeAt(text: string, at: number): Escape | null {
  const limit = Math.min(text.length, at + LONGEST_ESCAPE);
  const introducer = text[at + 1];
  if (introducer === undefined) return null;
  const found =
    introducer === "[" ? control(text, at, limit) : "]P^_X".includes(introducer) ? command(text, at, limit) : short(text, at, limit);
  if (found) return found;
  return limit - at < LONGEST_ESCAPE ? null : { end: at + 2, final: "", parameters: "" };
}

function control(text: string, at: number, limit: number): Escape | null {
  for (let i = at + 2; i < limit; i += 1) {
    const code = text.charCodeAt(i);
    if (code >= 0x40 && code <= 0x7e) return { end: i + 1, final: text[i]!, parameters: text.slice(at + 2, i) };
    if (code < 0x20 || code > 0x7e) return { end: i, final: "", parameters: "" };
  }
  return null;
}

/** A title, a hyperlink and the like: up to BEL or `ESC \`; a line's end breaks it off. */
function command(text: string, at: number, limit: number): Escape | null {
  for (let i = at + 2; i < limit; i += 1) {
    const code = text.charCodeAt(i);
    if (code === 0x07) return { end: i + 1, final: "", parameters: "" };
    if (code === 0x0a || code === 0x0d) return { end: i, final: "", parameters: "" };
    if (code === ESC) {
      if (i + 1 >= limit) return null;
      return { end: text[i + 1] === "\\" ? i + 2 : i, final: "", parameters: "" };
    }
  }
  return null;
}

function short(text: string, at: number, limit: number): Escape | null {
  for (let i = at + 1; i < limit; i += 1) {
    const code = text.charCodeAt(i);
    if (code >= 0x30 && code <= 0x7e) return { end: i + 1, final: i === at + 1 ? `\x1b${text[i]!}` : "", parameters: "" };
    if (code < 0x20 || code > 0x7e) return { end: i, final: "", parameters: "" };
  }
  return null;
}
