import type { Parameter } from "../api/types";

/** What a form begins with. */
export function firstAnswers(asked: readonly Parameter[]): Record<string, string> {
  return Object.fromEntries(asked.map(({ name, default: usual }) => [name, usual ?? ""]));
}

/** Whether it has to be answered before a run can start. */
export function isNeeded(parameter: Parameter): boolean {
  return parameter.default === null && parameter.kind !== "secret";
}

/** What is sent: what is left empty is no answer, but for a text that somebody emptied on purpose. */
export function answersOf(asked: readonly Parameter[], form: Record<string, string>): Record<string, string> {
  const answers: Record<string, string> = {};
  for (const { name, kind, default: usual } of asked) {
    const text = form[name] ?? "";
    if (text !== "" || (kind === "string" && usual !== null)) answers[name] = kind === "number" ? text.trim() : text;
  }
  return answers;
}

/** The bounds of a number as a message's key; null: it has none. */
export function boundsOf({ least, most }: Parameter): "from" | "upTo" | "between" | null {
  if (least === null) return most === null ? null : "upTo";
  return most === null ? "from" : "between";
}
