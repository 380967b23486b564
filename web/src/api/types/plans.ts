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
