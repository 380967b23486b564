import { query, type Http } from "../http";
import type { Plan, PlanDifference, PlanDraft, PlanParameters, PlanVersion } from "../types";

/** Plans and their versions. */
export const planCalls = (http: Http) => ({
  plans: (): Promise<Plan[]> => http.all("/api/plans"),
  plan: (id: number): Promise<Plan> => http.get(`/api/plans/${id}`),
  addPlan: (draft: PlanDraft): Promise<Plan> => http.post("/api/plans", draft),
  changePlan: (id: number, draft: Pick<PlanDraft, "name" | "definition">): Promise<Plan> =>
    http.put(`/api/plans/${id}`, draft),
  parameters: (plan: number): Promise<PlanParameters> => http.get(`/api/plans/${plan}/parameters`),
  removePlan: (id: number): Promise<void> => http.delete(`/api/plans/${id}`),
  removedPlans: (): Promise<Plan[]> => http.all("/api/plans", { removed: 1 }),
  restorePlan: (id: number): Promise<Plan> => http.post(`/api/plans/${id}/restore`),
  versions: (plan: number): Promise<PlanVersion[]> => http.all(`/api/plans/${plan}/versions`),
  difference: (plan: number, from: number, to: number): Promise<PlanDifference> =>
    http.get(`/api/plans/${plan}/diff${query({ from, to })}`),
  /** The text of that version is in force again, as a new version. */
  restoreVersion: (plan: number, number: number): Promise<Plan> =>
    http.post(`/api/plans/${plan}/versions/${number}/restore`),
});
