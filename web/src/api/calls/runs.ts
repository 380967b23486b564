import type { RunFilter } from "../filters";
import { query, type Http } from "../http";
import type { Artifact, Job, Page, Run, RunDraft, RunSummary } from "../types";

/** Runs, their jobs and what they kept. */
export const runCalls = (http: Http) => ({
  runs: (filter: RunFilter): Promise<Page<RunSummary>> => http.get(`/api/runs${query({ ...filter })}`),
  run: (id: number): Promise<Run> => http.get(`/api/runs/${id}`),
  startRun: (draft: RunDraft): Promise<Run> => http.post("/api/runs", draft),
  abortRun: (id: number): Promise<Run> => http.post(`/api/runs/${id}/abort`),
  rerun: (id: number): Promise<Run> => http.post(`/api/runs/${id}/rerun`),
  retryFailed: (id: number): Promise<Run> => http.post(`/api/runs/${id}/rerun`, { jobs: "failed" }),
  retryJob: (id: number): Promise<Job> => http.post(`/api/jobs/${id}/retry`),

  artifacts: (run: number): Promise<Artifact[]> => http.all(`/api/runs/${run}/artifacts`),
  /** Where a person downloads an artifact, sees it in place, and downloads all of a run. */
  artifactUrl: (id: number): string => `${http.base}/api/artifacts/${id}`,
  artifactViewUrl: (id: number): string => `${http.base}/api/artifacts/${id}/view`,
  artifactsZipUrl: (run: number): string => `${http.base}/api/runs/${run}/artifacts.zip`,
});
