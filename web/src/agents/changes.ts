import type { AgentChange, ChangePart } from "../api/types";

type Say = (key: string, values?: Record<string, unknown>) => string;

/** What was changed of an agent, in the reader's language; as it was kept where an older server kept words alone. */
export function changeWords({ what, parts }: AgentChange, t: Say): string {
  return parts === null ? what : parts.map((part) => partWords(part, t)).join(t("app.semicolon"));
}

function partWords(part: ChangePart, t: Say): string {
  const list = (names: string[]): string => names.join(t("app.comma"));
  switch (part.kind) {
    case "name":
      return t("agents.changes.name", { before: part.before, after: part.after });
    case "labels":
      return part.labels.length > 0
        ? t("agents.changes.labels", { labels: list(part.labels) })
        : t("agents.changes.noLabels");
    case "mode":
      return t(`agents.changes.modes.${part.mode}`);
    case "projects":
      if (part.projects === null) return t("agents.changes.allProjects");
      return part.projects.length > 0
        ? t("agents.changes.projects", { names: list(part.projects.map(({ name }) => name)) })
        : t("agents.changes.noProjects");
    case "removed":
      return t("agents.changes.removed");
  }
}
