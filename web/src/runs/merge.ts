import type { Job, RunSummary } from "../api/types";
import type { RunFilter } from "../api/client";

/** Put runs into a list that is sorted newest first; one that is there already is replaced. */
export function mergeRuns(held: readonly RunSummary[], news: readonly RunSummary[]): RunSummary[] {
  const byId = new Map(held.map((run) => [run.id, run]));
  for (const run of news) byId.set(run.id, run);
  return [...byId.values()].sort((a, b) => b.id - a.id);
}

/** Whether a run that came live belongs to a list that the server filtered. */
export function matchesFilter(run: RunSummary, filter: RunFilter): boolean {
  return (
    (!filter.state || run.state === filter.state) &&
    (!filter.plan || run.plan === Number(filter.plan)) &&
    (!filter.project || run.project === Number(filter.project)) &&
    (!filter.branch || run.branch === filter.branch)
  );
}

/** Whether all words of `text` occur in what the list shows of a run. */
export function matchesText(run: RunSummary, text: string): boolean {
  const shown = [
    `#${run.number}`,
    run.title,
    run.author,
    run.project_name,
    run.plan_name,
    run.branch,
    run.revision,
    run.trigger.by,
    ...run.agents,
  ];
  const hay = shown.filter(Boolean).join("\n").toLowerCase();
  return text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => hay.includes(word));
}

/** Whether people can have another attempt at this job. */
export function canRetry(job: Job): boolean {
  return job.state === "failed" || job.state === "aborted";
}

export function isOver(run: RunSummary): boolean {
  return run.finished_at !== null || ["passed", "failed", "aborted", "skipped"].includes(run.state);
}
