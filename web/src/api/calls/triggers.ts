import { query, type Http } from "../http";
import type { CronPreview, Trigger, TriggerDraft } from "../types";

/** What starts runs. */
export const triggerCalls = (http: Http) => ({
  triggers: (project?: number): Promise<Trigger[]> => http.all("/api/triggers", { project, limit: 500 }),
  addTrigger: (draft: TriggerDraft): Promise<Trigger> => http.post("/api/triggers", draft),
  changeTrigger: (id: number, draft: Omit<TriggerDraft, "plan">): Promise<Trigger> =>
    http.patch(`/api/triggers/${id}`, draft),
  removeTrigger: (id: number): Promise<void> => http.delete(`/api/triggers/${id}`),
  setTriggerMode: (id: number, mode: "enable" | "disable", why: string): Promise<Trigger> =>
    http.post(`/api/triggers/${id}/${mode}`, { why: why || null }),
  checkTrigger: (id: number): Promise<Trigger> => http.post(`/api/triggers/${id}/check`),
  previewCron: (expression: string, zone: string, signal: AbortSignal): Promise<CronPreview> =>
    http.get(`/api/cron${query({ expression, zone, count: 5 })}`, signal),
});
