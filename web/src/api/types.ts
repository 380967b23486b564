/** The shapes of the REST API. Ids are integers, times are ISO 8601 UTC with milliseconds. */

export type RunState = "planning" | "pending" | "running" | "passed" | "failed" | "aborted" | "skipped";
export type JobState = "waiting" | "pending" | "running" | "passed" | "failed" | "aborted" | "skipped";
export type AttemptState = "pending" | "leased" | "running" | "passed" | "failed" | "aborted";
export type StepState = "waiting" | "running" | "passed" | "failed" | "aborted" | "skipped";
export type LogState = "open" | "closed" | "sealed" | "truncated" | "removed";
export type AgentState = "online" | "offline";
export type AnyState = RunState | JobState | AttemptState | StepState | AgentState;

/** Where the next page of a list begins; what it means is the server's affair. */
export type Cursor = number | string;

export interface Page<T> {
  items: T[];
  next: Cursor | null;
}

export interface Session {
  name: string;
  version: string;
}

export interface Project {
  id: number;
  name: string;
  repository: string;
  has_webhook_secret: boolean;
  created_at: string;
}

export interface ProjectDraft {
  name: string;
  repository: string;
  webhook_secret?: string;
}

export interface Plan {
  id: number;
  project: number;
  project_name: string;
  name: string;
  path: string | null;
  version: number | null;
  definition: string | null;
  created_at: string;
}

export interface PlanDraft {
  project: number;
  name: string;
  definition?: string;
  path?: string;
}

export interface Trigger {
  kind: "webhook" | "manual" | "poll" | "cron";
  by?: string | null;
  event?: string | null;
  delivery?: number | null;
}

export interface RunSummary {
  id: number;
  number: number;
  state: RunState;
  reason: string | null;
  detail: string | null;
  project: number;
  project_name: string;
  plan: number;
  plan_name: string;
  plan_version: number | null;
  revision: string | null;
  branch: string | null;
  ref: string | null;
  title: string | null;
  author: string | null;
  trigger: Trigger;
  agents: string[];
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
}

export interface Run extends RunSummary {
  variables: Record<string, string>;
  /** The approval that all of it waits for, because it is from a fork. */
  approval?: number | null;
  jobs: Job[];
}

export interface RunDraft {
  plan: number;
  revision?: string;
  variables?: Record<string, string>;
}

export interface Job {
  id: number;
  name: string;
  state: JobState;
  reason: string | null;
  detail: string | null;
  why: string | null;
  needs: string[];
  labels: string[];
  agent: string | null;
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
  attempts: Attempt[];
  /** Where it deploys to, and the approval that it waits for; not told by older servers, nor the next. */
  environment?: string | null;
  approval?: number | null;
  /** When its next attempt is queued, where that is later. */
  retry_at?: string | null;
  /** Its run passes although it failed. */
  allow_failure?: boolean;
  /** How many files it kept; not told by older servers. */
  artifacts?: number;
}

/** A file that a job kept. */
export interface Artifact {
  id: number;
  run: number;
  job: number;
  job_name: string;
  /** The attempt's number. */
  attempt: number;
  path: string;
  size: number;
  sha256: string;
  executable: boolean;
  created_at: string;
  /** Null: as long as the server's settings say. */
  keep_until: string | null;
}

export interface Attempt {
  id: number;
  number: number;
  state: AttemptState;
  reason: string | null;
  detail: string | null;
  exit_code: number | null;
  agent: string | null;
  log: number;
  log_state: LogState;
  log_size: number;
  /** Bytes beyond the log's limit that were not kept; not told by older servers. */
  log_dropped?: number;
  /** Why its output stands still; null: it does not. */
  stalled?: string | null;
  /** What it gave to other jobs, the first of them and long ones cut; not told by older servers. */
  outputs?: Record<string, string>;
  /** When retention removed the log, and the rule that took it; null: it did not. */
  log_removed_at?: string | null;
  log_removed_why?: string | null;
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
  steps: Step[];
}

export interface Step {
  index: number;
  name: string;
  state: StepState;
  exit_code: number | null;
  began_at: string | null;
  ended_at: string | null;
}

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

/** A secret; its value is told to nobody. */
export interface Secret {
  id: number;
  name: string;
  /** Null: for all projects. */
  project: number | null;
  project_name: string | null;
  author: string | null;
  warnings: string[];
  created_at: string;
  updated_at: string;
}

export interface SecretDraft {
  name: string;
  value: string;
  project: number | null;
}

export interface Archive {
  url: string;
  state: "ok" | "away";
  detail: string | null;
  waiting_bytes: number;
  waiting_logs: number;
  since: string | null;
}

export interface DefinitionError {
  line: number;
  column: number;
  message: string;
}

/** The body of an error: RFC 9457. */
export interface ProblemBody {
  type: string;
  title: string;
  status: number;
  detail: string;
  errors?: DefinitionError[];
}
