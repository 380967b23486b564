import type { ProblemBody } from "./base";

export type StreamName = "stdout" | "stderr" | "system";

/** Where something begins in a log: byte offset, epoch ms, stream, step. */
export type SpanItem = [offset: number, time: number, stream: StreamName, step: number];

export interface Spans {
  items: SpanItem[];
  size: number;
  /** The `from` of the next page. */
  next: number | null;
}

/** A line in which something was found. */
export interface Hit {
  /** Counts newlines of the log, from 1. */
  line: number;
  /** Byte offset of the first match. */
  offset: number;
  /** The line, or the part of it around the first match. */
  text: string;
  /** UTF-16 indexes into `text`. */
  ranges: [start: number, end: number][];
  /** Epoch ms; null, as stream and step, where the log does not know whence its bytes came. */
  time: number | null;
  stream: StreamName | null;
  step: number | null;
}

export interface SearchEnd {
  hits: number;
  /** How many bytes were looked at. */
  searched: number;
  /** There may be more than the limit allowed. */
  limited: boolean;
  /** How many logs were looked at, in a search over runs. */
  logs?: number;
}

/** How far a search is that finds nothing for a while. */
export interface SearchProgress {
  progress: { logs: number; searched: number };
}

/** A log that could not be searched, or not to its end; the others are. */
export interface Unreadable {
  log: number;
  unreadable: string;
}

/** What a search's answer is made of: hits, and one `end`, or `error` when it broke off. */
export type SearchItem<H extends Hit = Hit> =
  | H
  | SearchProgress
  | Unreadable
  | { end: SearchEnd }
  | { error: Partial<ProblemBody> };

/** A hit of a search over many runs. */
export interface RunHit extends Hit {
  run: { id: number; number: number; plan_name: string; project_name: string };
  job: string;
  attempt: number;
  log: number;
}
