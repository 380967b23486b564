import type { Role } from "./access";

/** Where the next page of a list begins; what it means is the server's affair. */
export type Cursor = number | string;

export interface Page<T> {
  items: T[];
  next: Cursor | null;
}

export interface DefinitionError {
  line: number;
  column: number;
  message: string;
}

/** What is wrong with one field of a request; `place` is its path, such as body.settings.url.interval_s. */
export interface FieldError {
  place: string;
  message: string;
}

/** The body of an error: RFC 9457. */
export interface ProblemBody {
  type: string;
  title: string;
  status: number;
  detail: string;
  errors?: (DefinitionError | FieldError)[];
}

export interface Session {
  name: string;
  /** Not told by older servers, where everybody is an admin. */
  role?: Role;
  version: string;
  /** Where people and forges reach the server; not told by older ones. */
  url?: string;
}

export interface Archive {
  url: string;
  state: "ok" | "away";
  detail: string | null;
  waiting_bytes: number;
  waiting_logs: number;
  since: string | null;
}
