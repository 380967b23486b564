export type RunState = "planning" | "pending" | "running" | "passed" | "failed" | "aborted" | "skipped";
export type JobState = "waiting" | "pending" | "running" | "passed" | "failed" | "aborted" | "skipped";
export type AttemptState = "pending" | "leased" | "running" | "passed" | "failed" | "aborted";
export type StepState = "waiting" | "running" | "passed" | "failed" | "aborted" | "skipped";
export type LogState = "open" | "closed" | "sealed" | "truncated" | "removed";
export type AgentState = "online" | "offline";
export type DeliveryState = "accepted" | "ignored" | "invalid";
export type ApprovalState = "open" | "approved" | "rejected" | "withdrawn";
export type NotificationState = "pending" | "sent" | "failed" | "unsure";

export type AnyState =
  | RunState
  | JobState
  | AttemptState
  | StepState
  | AgentState
  | DeliveryState
  | ApprovalState
  | NotificationState;
