import type { ApprovalFilter } from "../filters";
import { query, type Http } from "../http";
import type { Approval, Environment, EnvironmentTerms, Page } from "../types";

/** What waits for a person, and the environments that make it wait. */
export const approvalCalls = (http: Http) => ({
  approvals: (filter: ApprovalFilter): Promise<Page<Approval>> => http.get(`/api/approvals${query({ ...filter })}`),
  /** Decide an approval; `why` may be empty. */
  decide: (id: number, approve: boolean, why: string): Promise<Approval> =>
    http.post(`/api/approvals/${id}`, { approve, why: why || null }),

  environments: (project: number): Promise<Environment[]> => http.all("/api/environments", { project }),
  addEnvironment: (project: number, name: string, terms: EnvironmentTerms): Promise<Environment> =>
    http.post("/api/environments", { project, name, ...terms }),
  changeEnvironment: (id: number, terms: EnvironmentTerms): Promise<Environment> =>
    http.put(`/api/environments/${id}`, terms),
  removeEnvironment: (id: number): Promise<void> => http.delete(`/api/environments/${id}`),
});
