import type { Job } from "../api/types";

/**
 * The job to show when nobody chose one: what runs, else what failed, else the first.
 * Stays with `shown` once that has something to show: nothing moves under a reader's eyes.
 */
export function defaultJob(jobs: readonly Job[], shown: number | null): Job | null {
  const before = jobs.find((job) => job.id === shown);
  if (before && before.attempts.length > 0) return before;
  const byState = (state: string): Job | undefined => jobs.find((job) => job.state === state);
  return byState("running") ?? byState("failed") ?? byState("aborted") ?? before ?? jobs[0] ?? null;
}
