const WIDE_RANGES = "\\u1100-\\u115f\\u2e80-\\ua4cf\\uac00-\\ud7a3\\uf900-\\ufaff\\ufe30-\\ufe6f\\uff00-\\uff60";
const WIDE = new RegExp(`[${WIDE_RANGES}\\p{Emoji_Presentation}\\u{20000}-\\u{3fffd}]`, "u");
const NARROW = /[\p{Mn}\p{Me}\p{Cf}]/u;

/** How many columns of a terminal one character takes: 2 for CJK and most emoji, 0 for what joins the one before. */
export function columnsOfCharacter(character: string): 0 | 1 | 2 {
  if (character.charCodeAt(0) < 0x300) return 1;
  if (WIDE.test(character)) return 2;
  return NARROW.test(character) ? 0 : 1;
}

const ASCII = /^[\x20-\x7e]*$/;

/** The column after text that begins at a column; tab stops are eight apart. */
export function columnAfter(text: string, column = 0): number {
  if (ASCII.test(text)) return column + text.length;
  let at = column;
  for (const character of text) {
    if (character === "\t") at = nextTab(at);
    else if (character >= " " && character !== "\x7f") at += columnsOfCharacter(character);
  }
  return at;
}

export function nextTab(column: number): number {
  return (Math.floor(column / 8) + 1) * 8;
}
