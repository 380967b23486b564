import type { ApprovalState } from "./states";

/** A decision that a job of an environment waits for, or a whole run from a fork (`job` null). */
export interface Approval {
  id: number;
  state: ApprovalState;
  project: number;
  project_name: string;
  plan_name: string;
  run: number;
  run_number: number;
  job: number | null;
  job_name: string | null;
  environment: string | null;
  /** The only ones who may decide; null: anybody. */
  approvers: string[] | null;
  branch: string | null;
  revision: string | null;
  title: string | null;
  author: string | null;
  from_fork: boolean;
  asked_at: string;
  /** The decision's; null while there is none. */
  by: string | null;
  why: string | null;
  at: string | null;
}

/** Where jobs deploy to, and what they have to wait for. */
export interface Environment {
  id: number;
  project: number;
  project_name: string;
  name: string;
  /** Each of its jobs waits for a person. */
  approval: boolean;
  /** Null: anybody. */
  approvers: string[] | null;
  /** Patterns of the branches whose runs may use it; null: all. */
  branches: string[] | null;
  by: string;
  updated_at: string;
}

export type EnvironmentTerms = Pick<Environment, "approval" | "approvers" | "branches">;
