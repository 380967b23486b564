import type { Cursor } from "./types";

export interface RunFilter {
  state?: string;
  project?: string;
  plan?: string;
  branch?: string;
  limit?: number;
  cursor?: Cursor;
}

export interface DeliveryFilter {
  project?: string;
  state?: string;
  cursor?: Cursor;
}

export interface ApprovalFilter {
  project?: string;
  state?: string;
  cursor?: Cursor;
}

export interface NotificationFilter {
  state?: string;
  channel?: string;
  cursor?: Cursor;
}

export interface LogQuery {
  q: string;
  regex: boolean;
  case: boolean;
  /** Byte offset to begin at. */
  from?: number;
  limit?: number;
}

export interface RunsQuery extends Omit<LogQuery, "from"> {
  project?: string;
  plan?: string;
  branch?: string;
  state?: string;
  /** ISO 8601. */
  since?: string;
  until?: string;
}
