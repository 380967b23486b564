import type { Agent, Approval, LogState, Run, RunSummary, StreamName } from "../api/types";

/** What a page can watch. */
export type Topic = "runs" | "agents" | "approvals" | `run/${number}` | `log/${number}`;

export type ClientFrame =
  | { op: "watch"; topic: Topic; from?: number; tail?: number; at?: number }
  | { op: "unwatch"; topic: Topic };

/** Where in a chunk something begins: byte offset in the log, epoch ms, stream, step, UTF-16 index into the text. */
export type ChunkSpan = [offset: number, time: number, stream: StreamName, step: number, index: number];

/** The bytes [offset, next) of a log as text; it begins with a span. */
export interface Chunk {
  offset: number;
  next: number;
  spans: ChunkSpan[];
  text: string;
}

/** Bytes [from, to) that were not sent and can be had by range. */
export interface Gap {
  from: number;
  to: number;
}

/** Where to begin to follow a log: a byte offset, so many lines before its end, or a moment (epoch ms). */
export type LogStart = { from: number } | { tail: number } | { at: number };

export interface LogEnd {
  size: number;
  state: LogState;
}

export interface TopicError {
  status: number;
  detail: string;
}

export interface LogFrame {
  topic: string;
  chunk?: Chunk;
  gap?: Gap;
  end?: LogEnd;
  error?: TopicError;
}

export interface RunsFrame {
  topic: string;
  items: RunSummary[];
}

export interface RunFrame {
  topic: string;
  run?: Run;
  error?: TopicError;
}

export interface AgentsFrame {
  topic: string;
  items: Agent[];
}

/** What waits for a person: the newest of it, and how much in all. */
export interface ApprovalsFrame {
  topic: string;
  items: Approval[];
  open: number;
}

/** Any frame that names a topic; who watches the topic knows its shape. */
export interface TopicFrame {
  topic: string;
  [part: string]: unknown;
}

export type ServerFrame = TopicFrame | { retry: number } | { beat: number };

export function parseFrame(data: string): ServerFrame | null {
  try {
    const frame: unknown = JSON.parse(data);
    return typeof frame === "object" && frame !== null ? (frame as ServerFrame) : null;
  } catch {
    return null;
  }
}
