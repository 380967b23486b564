import type { Http } from "../http";
import type { Agent, AgentMode } from "../types";

/** Agents. */
export const agentCalls = (http: Http) => ({
  agents: (): Promise<Agent[]> => http.all("/api/agents"),
  /** Give an agent work, or none; `why` may be empty. */
  setAgentMode: (id: number, mode: AgentMode, why: string): Promise<Agent> =>
    http.patch(`/api/agents/${id}`, { mode, why: why || null }),
});
