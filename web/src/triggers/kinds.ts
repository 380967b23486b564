import type { TriggerKind } from "../api/types";
import type { IconName } from "../shell/icons";

export const TRIGGER_KINDS: readonly TriggerKind[] = ["webhook", "git", "subversion", "url", "cron"];

/** Also of what people start by hand. */
export const KIND_ICONS: Record<TriggerKind | "manual", IconName> = {
  webhook: "webhook",
  git: "branch",
  subversion: "folder",
  url: "globe",
  cron: "cron",
  manual: "manual",
};

/** What `on.schedule` of a plan made: it says what its plan says, and goes with it. */
export function isOfPlan(trigger: { kind: TriggerKind; name: string }): boolean {
  return trigger.kind === "cron" && /^on\.schedule(\.\d+)?$/.test(trigger.name);
}

/** What is looked at, so that somebody can ask for a look now. */
export function isPolled(kind: TriggerKind): boolean {
  return kind === "git" || kind === "subversion" || kind === "url";
}
