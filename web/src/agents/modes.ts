import type { Agent, AgentMode } from "../api/types";

/** What an agent's mode has come to: one that drains is drained when nothing of what it did is left. */
export type Standing = AgentMode | "drained";

export function standingOf(agent: Pick<Agent, "mode" | "busy">): Standing {
  return agent.mode === "draining" && agent.busy === 0 ? "drained" : agent.mode;
}

/** The modes that an agent can be given, the likeliest first. */
export const OFFERED: Record<AgentMode, readonly AgentMode[]> = {
  active: ["paused", "draining"],
  paused: ["active", "draining"],
  draining: ["active", "paused"],
};
