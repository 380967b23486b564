/** A line, counted from 1, that is not `Name: value`. */
export class HeaderError extends Error {
  constructor(readonly line: number) {
    super(`line ${line} is not Name: value`);
  }
}

/** "Accept: text/html" on each line, as headers. Throws `HeaderError`. */
export function parseHeaders(text: string): Record<string, string> {
  const headers: Record<string, string> = {};
  text.split("\n").forEach((line, index) => {
    if (line.trim() === "") return;
    const colon = line.indexOf(":");
    if (colon < 1) throw new HeaderError(index + 1);
    headers[line.slice(0, colon).trim()] = line.slice(colon + 1).trim();
  });
  return headers;
}

export function showHeaders(headers: Record<string, string>): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}`)
    .join("\n");
}
