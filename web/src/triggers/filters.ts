import type { EventFilter, EventFilters, EventName } from "../api/types";

export type FilterPart = keyof EventFilter;

/** What can be asked of each kind of event. */
export const EVENT_PARTS: Record<EventName, readonly FilterPart[]> = {
  push: ["branches", "paths"],
  tag: ["tags"],
  pull_request: ["branches", "paths", "actions"],
  workflow: ["names", "branches", "actions", "conclusions"],
};
export const EVENT_NAMES = Object.keys(EVENT_PARTS) as EventName[];

/** One kind of event in a form: patterns are text, one on each line. */
export type EventForm = { wanted: boolean } & Record<FilterPart, string>;
export type FiltersForm = Record<EventName, EventForm>;

export function filtersForm(filters: EventFilters | null): FiltersForm {
  const of = (name: EventName): EventForm => {
    const filter = filters?.[name];
    const text = (part: FilterPart): string => (filter?.[part] ?? []).join("\n");
    return {
      wanted: filters === null ? name !== "workflow" : Boolean(filter),
      branches: text("branches"),
      tags: text("tags"),
      paths: text("paths"),
      actions: text("actions"),
      names: text("names"),
      conclusions: text("conclusions"),
    };
  };
  return { push: of("push"), tag: of("tag"), pull_request: of("pull_request"), workflow: of("workflow") };
}

export function filtersOf(form: FiltersForm): EventFilters {
  const filters: EventFilters = {};
  for (const name of EVENT_NAMES) {
    if (!form[name].wanted) continue;
    const filter: EventFilter = {};
    for (const part of EVENT_PARTS[name]) {
      const patterns = patternsOf(form[name][part]);
      if (patterns.length > 0) filter[part] = patterns;
    }
    filters[name] = filter;
  }
  return filters;
}

/** One pattern on each line; a name may hold commas and spaces. */
export function patternsOf(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);
}
