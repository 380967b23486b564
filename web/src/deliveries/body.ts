/** A body as people read it: JSON with a line for each thing, else as it came. */
export function readable(body: string, cut: boolean): string {
  if (cut) return body;
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}

/** Run 12 and run 13 as links want them; each once, in order. */
export function runsOf(outcomes: readonly { run: number | null }[] | null, others: readonly number[] = []): number[] {
  const runs = (outcomes ?? []).flatMap(({ run }) => (run === null ? [] : [run]));
  return [...new Set([...runs, ...others])].sort((a, b) => a - b);
}
