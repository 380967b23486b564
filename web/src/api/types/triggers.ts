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
