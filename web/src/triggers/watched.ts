import type { TriggerSettings } from "../api/types";
import { EVENT_NAMES } from "./filters";

/** What a trigger watches: `code` is what it names, `said` are keys of messages with what fills them. */
export interface Watched {
  code: string[];
  said: { key: string; values: Record<string, string | number> }[];
}

export function watchedBy(settings: TriggerSettings): Watched {
  const every = { key: "triggers.everySeconds", values: { seconds: "interval_s" in settings ? settings.interval_s : 0 } };
  switch (settings.kind) {
    case "webhook": {
      const { filters } = settings;
      if (!filters) return { code: [], said: [{ key: "triggers.allEvents", values: {} }] };
      const wanted = EVENT_NAMES.filter((name) => filters[name]);
      const patterns = wanted.flatMap((name) => Object.values(filters[name]!).flat());
      return { code: [...new Set(patterns)], said: wanted.map((name) => ({ key: `trigger.${name}`, values: {} })) };
    }
    case "git":
      return { code: [...settings.branches, ...settings.tags], said: [mode(settings.mode), every] };
    case "subversion":
      return { code: [settings.path || "/"], said: [mode(settings.mode), every] };
    case "url":
      return {
        code: settings.path ? [settings.url, settings.path] : [settings.url],
        said: [{ key: `triggers.looks.${settings.look}`, values: {} }, every],
      };
    case "cron":
      return {
        code: [settings.expression],
        said: [{ key: "triggers.inZone", values: { zone: settings.zone } }],
      };
  }
}

function mode(mode: "every" | "latest"): Watched["said"][number] {
  return { key: `triggers.modes.${mode}`, values: {} };
}
