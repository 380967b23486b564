import { accessCalls } from "./calls/access";
import { agentCalls } from "./calls/agents";
import { approvalCalls } from "./calls/approvals";
import { deliveryCalls } from "./calls/deliveries";
import { houseCalls } from "./calls/house";
import { logCalls } from "./calls/logs";
import { notificationCalls } from "./calls/notifications";
import { planCalls } from "./calls/plans";
import { projectCalls } from "./calls/projects";
import { runCalls } from "./calls/runs";
import { triggerCalls } from "./calls/triggers";
import { Http } from "./http";

export type * from "./filters";

/** The REST API, a file for each subject in `calls/`. What it does throws `Problem`. */
export function createApi(base: string, onSignedOut: () => void = () => {}) {
  const http = new Http(base, onSignedOut);
  return Object.assign(http, {
    ...houseCalls(http),
    ...accessCalls(http),
    ...projectCalls(http),
    ...planCalls(http),
    ...runCalls(http),
    ...approvalCalls(http),
    ...triggerCalls(http),
    ...deliveryCalls(http),
    ...notificationCalls(http),
    ...agentCalls(http),
    ...logCalls(http),
  });
}

export type Api = ReturnType<typeof createApi>;
