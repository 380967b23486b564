/** A line, counted from 1, that is not NAME=value. */
export class VariableError extends Error {
  constructor(readonly line: number) {
    super(`line ${line} is not NAME=value`);
  }
}

/** "A=1\nB=2" as variables. Throws `VariableError`. */
export function parseVariables(text: string): Record<string, string> {
  const variables: Record<string, string> = {};
  text.split("\n").forEach((line, index) => {
    if (line.trim() === "") return;
    const match = /^\s*([A-Za-z_]\w*)=(.*)$/.exec(line);
    if (!match) throw new VariableError(index + 1);
    variables[match[1]!] = match[2]!;
  });
  return variables;
}
