import type { Http } from "../http";

/** What waits for a person. */
export const approvalCalls = (http: Http) => ({
  /** Decide an approval; `why` may be empty. */
  decide: (id: number, approve: boolean, why: string): Promise<unknown> =>
    http.post(`/api/approvals/${id}`, { approve, why: why || null }),
});
