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
  /** Where in the repository it was seen; null: it is kept in the server. */
  ref: string | null;
  revision: string | null;
  /** Only forks had it. */
  from_fork: boolean;
  in_force: boolean;
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

export type ParameterKind = "string" | "choice" | "boolean" | "number" | "secret";

/** What a plan asks whoever starts a run. */
export interface Parameter {
  name: string;
  kind: ParameterKind;
  description: string;
  /** Null: it must be answered, unless it is secret. */
  default: string | null;
  choices: string[];
  /** Bounds of a number. */
  least: number | null;
  most: number | null;
}

export interface PlanParameters {
  /** The plan's version that asks; null: a plan in the repository that was never read. */
  version: number | null;
  items: Parameter[];
}
