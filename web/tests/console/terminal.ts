/** What a terminal without edges shows of output: a grid of cells, without any cleverness. */
export function terminal(output: string): string[] {
  const grid: string[][] = [];
  let row = 0;
  let column = 0;
  // The row below the last is there once the last has ended.
  let ended = true;
  const line = (): string[] => {
    if (row === grid.length) {
      grid.push([]);
      ended = false;
    }
    return grid[row]!;
  };
  const split = (cells: string[], at: number): void => {
    if (cells[at] === "") cells[at] = cells[at - 1] = " ";
  };
  const up = (count: number): void => void (row = Math.max(0, row - count));
  const down = (count: number): void => {
    const lowest = grid.length - (ended ? 0 : 1);
    row = Math.max(row, Math.min(lowest, row + count));
    if (row === grid.length) column = 0;
  };
  for (const [token, , parameter, final] of output.matchAll(/(\x1b\[([?0-9]*)([A-Za-z])|\x1b\][^\x07]*\x07|\x1b\(B|\x1bM|[^])/gu)) {
    const count = Number(parameter) || 0;
    const move = count || 1;
    if (token === "\n") {
      line();
      row += 1;
      column = 0;
      if (row === grid.length) ended = true;
    } else if (token === "\r") column = 0;
    else if (token === "\b") column = Math.max(0, column - 1);
    else if (token === "\t") {
      line();
      column = (Math.floor(column / 8) + 1) * 8;
    } else if (token === "\x1bM") up(1);
    else if (token.startsWith("\x1b[?") || (token.startsWith("\x1b") && !final)) continue;
    else if (final === "A") up(move);
    else if (final === "F") [, column] = [up(move), 0];
    else if (final === "B") down(move);
    else if (final === "E") [, column] = [down(move), 0];
    else if (final === "C" || final === "D" || final === "G") {
      const next = final === "C" ? column + move : final === "D" ? Math.max(0, column - move) : move - 1;
      if (next > 0) line();
      column = next;
    } else if (final === "J" && row < grid.length) {
      split(grid[row]!, column);
      grid[row]!.splice(column);
      // Within the last row, whose end is where the cursor is, there is nothing to erase.
      grid.length = row + 1;
      ended = false;
    } else if (final && row < grid.length) {
      const cells = grid[row]!;
      if (final === "K") {
        if (count === 0) (split(cells, column), cells.splice(column));
        if (count === 2) cells.length = 0;
        if (count === 1) {
          split(cells, column + 1);
          cells.fill(" ", 0, column + 1);
        }
      } else if (final === "P") (split(cells, column), split(cells, column + 2), cells.splice(column, 2));
      else if (final === "X") {
        split(cells, column);
        split(cells, column + 2);
        cells.fill(" ", column, column + 2);
      }
    } else if (!final) {
      const cells = line();
      while (cells.length < column) cells.push(" ");
      const width = /[流🚰]/u.test(token) ? 2 : 1;
      split(cells, column);
      split(cells, column + width);
      cells[column] = token;
      if (width === 2) cells[column + 1] = "";
      column += width;
    }
  }
  return grid.map((cells) => cells.join("").trimEnd());
}
