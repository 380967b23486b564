/** Lines from..to that a permalink marks, both included. */
export interface LineRange {
  from: number;
  to: number;
}

/** "#L12" or "#L12-L20". */
export function parseLineRange(hash: string): LineRange | null {
  const match = /^#L(\d+)(?:-L?(\d+))?$/.exec(hash);
  if (!match) return null;
  const from = Number(match[1]);
  const to = Number(match[2] ?? match[1]);
  return { from: Math.min(from, to), to: Math.max(from, to) };
}

export function formatLineRange(range: LineRange): string {
  return range.from === range.to ? `#L${range.from}` : `#L${range.from}-L${range.to}`;
}
