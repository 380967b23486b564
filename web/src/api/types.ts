/** The shapes of the REST API. Ids are integers, times are ISO 8601 UTC with milliseconds. */

export type RunState = "planning" | "pending" | "running" | "passed" | "failed" | "aborted" | "skipped";
export type JobState = "waiting" | "pending" | "running" | "passed" | "failed" | "aborted" | "skipped";
export type AttemptState = "pending" | "leased" | "running" | "passed" | "failed" | "aborted";
export type StepState = "waiting" | "running" | "passed" | "failed" | "aborted" | "skipped";
export type LogState = "open" | "closed" | "sealed" | "truncated" | "removed";
export type AgentState = "online" | "offline";
export type DeliveryState = "accepted" | "ignored" | "invalid";
export type NotificationState = "pending" | "sent" | "failed" | "unsure";
export type AnyState =
  | RunState
  | JobState
  | AttemptState
  | StepState
  | AgentState
  | DeliveryState
  | NotificationState;

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
  removed_at?: string | null;
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
  removed_at?: string | null;
}

/** A version of a plan; it never changes. */
export interface PlanVersion {
  id: number;
  plan: number;
  number: number;
  author: string | null;
  sha256: string;
  created_at: string;
}

export interface PlanDifference {
  from: number;
  to: number;
  /** Unified; empty where both are the same. */
  diff: string;
}

export interface PlanDraft {
  project: number;
  name: string;
  definition?: string;
  path?: string;
}

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

export type TriggerKind = "webhook" | "git" | "subversion" | "url" | "cron";
export type EventName = "push" | "tag" | "pull_request" | "workflow";

/** What an event must be like; patterns, empty: anything. */
export interface EventFilter {
  branches?: string[];
  tags?: string[];
  paths?: string[];
  actions?: string[];
  names?: string[];
  conclusions?: string[];
}

/** Which events are wanted: one that is null or missing is not. */
export type EventFilters = Partial<Record<EventName, EventFilter | null>>;

/** Which commits start a run: each since the last look, or the newest. */
export type PollMode = "every" | "latest";
export type UrlLook = "auto" | "etag" | "last_modified" | "hash" | "json";
export type MissedTicks = "skip" | "once";

export interface WebhookSettings {
  kind: "webhook";
  /** Null: all that the plan wants. */
  filters: EventFilters | null;
}

export interface GitSettings {
  kind: "git";
  branches: string[];
  tags: string[];
  interval_s: number;
  mode: PollMode;
  timeout_s: number;
}

export interface SubversionSettings {
  kind: "subversion";
  path: string;
  user: string | null;
  /** A secret's name. */
  password: string | null;
  interval_s: number;
  mode: PollMode;
  timeout_s: number;
}

export interface UrlSettings {
  kind: "url";
  url: string;
  headers: Record<string, string>;
  /** Header to secret's name. */
  secret_headers: Record<string, string>;
  look: UrlLook;
  path: string | null;
  branch: string | null;
  interval_s: number;
  timeout_s: number;
}

export interface CronSettings {
  kind: "cron";
  expression: string;
  zone: string;
  missed: MissedTicks;
  branch: string | null;
}

export type TriggerSettings = WebhookSettings | GitSettings | SubversionSettings | UrlSettings | CronSettings;

/** What starts runs of a plan. */
export interface Trigger {
  id: number;
  project: number;
  project_name: string;
  plan: number;
  plan_name: string;
  name: string;
  kind: TriggerKind;
  settings: TriggerSettings;
  enabled: boolean;
  /** Who enabled or disabled it last, why and when; null: nobody did. */
  mode_by: string | null;
  mode_why: string | null;
  mode_at: string | null;
  /** When it is looked at next; null: never. */
  next_at: string | null;
  last_at: string | null;
  last_state: "ok" | "error" | null;
  last_detail: string | null;
  /** Errors in a row. */
  failures: number;
  created_at: string;
}

export interface TriggerDraft {
  plan: number;
  name: string;
  settings: TriggerSettings;
}

export interface CronPreview {
  expression: string;
  zone: string;
  fixed: boolean;
  /** A moment, and what the zone's clock shows then. */
  ticks: { at: string; local: string }[];
}

/** What one trigger made of an event: a run, or why none. */
export interface Outcome {
  trigger: number;
  name: string;
  plan: number;
  plan_name: string;
  run: number | null;
  why_not: string | null;
}

/** A webhook as it arrived, and what came of it. */
export interface Delivery {
  id: number;
  project: number;
  source: string;
  event: string | null;
  key: string | null;
  state: DeliveryState;
  detail: string | null;
  runs: number[];
  /** Null: no trigger was asked. */
  outcomes: Outcome[] | null;
  replays: number;
  received_at: string;
  /** When retention took headers and body. */
  removed_at: string | null;
}

export interface Replay {
  id: number;
  by: string;
  at: string;
  state: DeliveryState;
  detail: string | null;
  outcomes: Outcome[] | null;
}

export interface DeliveryDetail {
  delivery: Delivery;
  headers: Record<string, string>;
  /** Null: none, or removed. */
  body: string | null;
  /** Bytes of the whole body; `cut`: `body` is its beginning. */
  size: number;
  cut: boolean;
  replayed: Replay[];
}

export interface ReplayAnswer {
  delivery: number;
  replay: number;
  runs: number[];
  state: DeliveryState;
  detail: string | null;
}

export interface ReplaysAnswer {
  deliveries: number[];
  replayed: ReplayAnswer[];
  failed: { delivery: number; detail: string }[];
}

/** A webhook that was refused. */
export interface Refusal {
  id: number;
  project: string;
  source: string;
  why: string;
  headers: Record<string, string>;
  refused_at: string;
}

export type ChannelKind =
  | "email"
  | "slack"
  | "teams"
  | "telegram"
  | "discord"
  | "dingtalk"
  | "wecom"
  | "feishu"
  | "webhook"
  | "github"
  | "gitlab"
  | "gitea";

export type ChannelSettings = { kind: ChannelKind } & Record<string, string | number | string[] | null>;

/** A way on which messages leave; the values of its secrets are told to nobody. */
export interface Channel {
  id: number;
  /** Null: rules of all projects may use it. */
  project: number | null;
  project_name: string | null;
  name: string;
  kind: ChannelKind;
  settings: ChannelSettings;
  secrets: string[];
  enabled: boolean;
  author: string;
  created_at: string;
  updated_at: string;
}

export interface ChannelDraft {
  name: string;
  project: number | null;
  settings: ChannelSettings;
  secrets: Record<string, string>;
}

export type RuleWord = "failed" | "first_failure" | "recovered" | "every" | "waiting";

/** Of which runs a channel is told, and when. */
export interface Rule {
  id: number;
  channel: number;
  channel_name: string;
  /** Null: of all; the same with `plan`. */
  project: number | null;
  project_name: string | null;
  plan: number | null;
  plan_name: string | null;
  on: RuleWord[];
  branches: string[] | null;
  enabled: boolean;
  author: string;
  created_at: string;
}

export interface RuleDraft {
  channel: number;
  project: number | null;
  plan: number | null;
  on: RuleWord[];
  branches: string[] | null;
}

/** A message of the outbox. */
export interface Notification {
  id: number;
  channel: number;
  channel_name: string;
  kind: ChannelKind;
  rule: number | null;
  run: number;
  run_number: number;
  project: number;
  project_name: string;
  what: "passed" | "failed" | "aborted" | "skipped" | "recovered" | "waiting" | "statuses";
  detail: string | null;
  state: NotificationState;
  attempts: number;
  last_error: string | null;
  /** What a forge was told of each job. */
  told: Record<string, string> | null;
  created_at: string;
  next_at: string | null;
  ended_at: string | null;
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
