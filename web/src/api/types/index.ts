/** The shapes of the REST API. Ids are integers, times are ISO 8601 UTC with milliseconds. */
export type * from "./access";
export type * from "./agents";
export type * from "./approvals";
export type * from "./base";
export type * from "./deliveries";
export type * from "./hooks";
export type * from "./logs";
export type * from "./notifications";
export type * from "./plans";
export type * from "./projects";
export type * from "./runs";
export type * from "./secrets";
export type * from "./states";
export type * from "./triggers";
