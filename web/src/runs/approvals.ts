import type { Run } from "../api/types";

/** An approval that people are asked for: of a job that wants to use an environment, or (no job) of the whole run. */
export interface Asked {
  id: number;
  job: string | null;
  environment: string | null;
}

/** What of a run waits for a person. */
export function askedOf(run: Run): Asked[] {
  if (typeof run.approval === "number") return [{ id: run.approval, job: null, environment: null }];
  return run.jobs.flatMap((job) =>
    typeof job.approval === "number" ? [{ id: job.approval, job: job.name, environment: job.environment ?? null }] : [],
  );
}
