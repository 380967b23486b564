import type { NotificationState } from "./states";

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
  | "apprise"
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
