import type { AttemptState, JobState, LogState, RunState, StepState } from "./states";
import type { TriggerKind } from "./triggers";

/** What started a run. */
export interface RunTrigger {
  kind: TriggerKind | "manual";
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
  trigger: RunTrigger;
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
  parameters?: Record<string, string>;
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
  /** The group in which it takes turns with other jobs of its project; not told by older servers, nor the next. */
  concurrency?: string | null;
  /** The entry of the plan, where it is one of a matrix: how many of these are under way at once, and what one that fails does. */
  matrix?: string | null;
  max_parallel?: number | null;
  fail_fast?: boolean;
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
