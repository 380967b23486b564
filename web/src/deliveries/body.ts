/** A body as people read it: JSON with a line for each thing, else as it came. */
export function readable(body: string, cut: boolean): string {
  if (cut) return body;
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}
