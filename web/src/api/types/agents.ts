import type { AgentState } from "./states";

export type AgentMode = "active" | "paused" | "draining";

export interface Agent {
  id: number;
  name: string;
  state: AgentState;
  labels: string[];
  capacity: number;
  busy: number;
  version: string;
  /** Where it connects from; null: it never did. */
  address: string | null;
  /** The last error of its own, and when it reported it; the time is not told by older servers. */
  trouble: string | null;
  trouble_at?: string | null;
  /** Null until it has connected. */
  machine: Machine | null;
  load: Load | null;
  /** What people want of it; who said so, why and when. */
  mode: AgentMode;
  mode_by: string | null;
  mode_why: string | null;
  mode_at: string | null;
  first_seen_at: string;
  last_seen_at: string | null;
}

/** What an agent runs on; sizes in bytes, tools by name with their versions. */
export interface Machine {
  hostname: string;
  system: string;
  architecture: string;
  processors: number;
  memory: number;
  disk: number;
  tools: Record<string, string>;
}

/** How busy a machine was when its agent was last heard of. */
export interface Load {
  /** Processes that want to run, mean of a minute. */
  waiting: number;
  /** Bytes. */
  memory_free: number;
  disk_free: number;
}

/** One thing that was changed of an agent. Names of projects are those of that time; null: all. */
export type ChangePart =
  | { kind: "name"; before: string; after: string }
  | { kind: "labels"; labels: string[] }
  | { kind: "mode"; mode: AgentMode }
  | { kind: "projects"; projects: { id: number; name: string }[] | null }
  | { kind: "removed" };

/** What somebody wanted of an agent: as values, null where only the (English) words were kept. */
export interface AgentChange {
  id: number;
  what: string;
  parts: ChangePart[] | null;
  by: string;
  why: string | null;
  at: string;
}
