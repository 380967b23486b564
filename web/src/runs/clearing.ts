import type { Job } from "../api/types";

/** Whether a job that was aborted does its last steps: aborting once more ends them too. */
export function isClearing(jobs: readonly Job[]): boolean {
  return jobs.some((job) => {
    const steps = job.attempts.at(-1)?.steps ?? [];
    return steps.some((step) => step.state === "aborted") && steps.some((step) => step.state === "running");
  });
}
