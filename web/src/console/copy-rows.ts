import type { LineRange } from "./line-range";
import type { LogModel } from "./log-model";
import { renderRow, textOf } from "./render-row";

/** The most that is copied at once, UTF-16 units. */
const MOST = 20 << 20;

/** The rows of some lines, or all that are here, as plain text. Rows of one line are joined. */
export function copyRows(model: LogModel, range: LineRange | null): string {
  return model.unfolded(() => rowsIn(model, range));
}

function rowsIn(model: LogModel, range: LineRange | null): string {
  const pieces: string[] = [];
  let size = 0;
  const first = range ? Math.max(0, model.rowOfLine(range.from)) : 0;
  for (let index = first; index < model.rows && size < MOST; index += 1) {
    const item = model.item(index);
    if ("gap" in item) continue;
    const { row } = item;
    if (range && (row.line === null || row.line < range.from)) continue;
    if (range && row.line! > range.to) break;
    const text = textOf(renderRow(row.text, row.style));
    pieces.push(row.continued || pieces.length === 0 ? text : `\n${text}`);
    size += text.length;
  }
  return pieces.join("") + (pieces.length > 0 ? "\n" : "");
}
