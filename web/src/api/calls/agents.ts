import { query, type Http } from "../http";
import type { Agent, AgentChange, AgentMode, Cursor, Page } from "../types";

/** Agents. */
export const agentCalls = (http: Http) => ({
  agents: (): Promise<Agent[]> => http.all("/api/agents"),
  /** Give an agent work, or none; `why` may be empty. */
  setAgentMode: (id: number, mode: AgentMode, why: string): Promise<Agent> =>
    http.patch(`/api/agents/${id}`, { mode, why: why || null }),
  /** What people wanted of it, newest first. */
  agentChanges: (id: number, cursor: Cursor | null = null): Promise<Page<AgentChange>> =>
    http.get(`/api/agents/${id}/changes${query({ limit: 20, cursor: cursor ?? "" })}`),
});
