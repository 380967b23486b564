import type { LocationQuery } from "vue-router";
import type { RunsQuery } from "../api/client";

/** A search over runs, as its form and the page's address have it. Times are those of the person's clock. */
export interface Wish {
  q: string;
  regex: boolean;
  case: boolean;
  project: string;
  plan: string;
  branch: string;
  state: string;
  since: string;
  until: string;
}

const WORDS = ["q", "project", "plan", "branch", "state", "since", "until"] as const;

export function wishOf(query: LocationQuery): Wish {
  const word = (name: string): string => (typeof query[name] === "string" ? query[name] : "");
  const words = Object.fromEntries(WORDS.map((name) => [name, word(name)])) as Record<(typeof WORDS)[number], string>;
  return { ...words, regex: word("regex") === "1", case: word("case") === "1" };
}

export function addressOf(wish: Wish): Record<string, string> {
  const query: Record<string, string> = {};
  for (const name of WORDS) if (wish[name].trim()) query[name] = wish[name].trim();
  if (wish.regex) query["regex"] = "1";
  if (wish.case) query["case"] = "1";
  return query;
}

/** What the server is asked. A day without a time begins, or ends, where the person's day does. */
export function questionOf(wish: Wish, limit: number): RunsQuery {
  const question: RunsQuery = { q: wish.q, regex: wish.regex, case: wish.case, limit };
  for (const name of ["project", "plan", "branch", "state"] as const) if (wish[name].trim()) question[name] = wish[name].trim();
  const since = moment(wish.since, "00:00:00.000");
  const until = moment(wish.until, "23:59:59.999");
  if (since) question.since = since;
  if (until) question.until = until;
  return question;
}

function moment(day: string, time: string): string | null {
  const at = new Date(`${day}T${time}`);
  return day && !Number.isNaN(at.getTime()) ? at.toISOString() : null;
}
