export interface DiffLine {
  kind: "same" | "added" | "removed" | "place";
  text: string;
}

/** The lines of a unified diff, without the two that name its files. */
export function diffLines(diff: string): DiffLine[] {
  const lines = diff.split("\n");
  if (lines.at(-1) === "") lines.pop();
  const first = lines.findIndex((line) => line.startsWith("@@"));
  return first < 0 ? [] : lines.slice(first).map((line) => ({ kind: kindOf(line), text: line }));
}

function kindOf(line: string): DiffLine["kind"] {
  if (line.startsWith("@@")) return "place";
  if (line.startsWith("+")) return "added";
  if (line.startsWith("-")) return "removed";
  return "same";
}
