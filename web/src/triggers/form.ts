import type { MissedTicks, PollMode, TriggerKind, TriggerSettings, UrlLook } from "../api/types";
import { filtersForm, filtersOf, patternsOf, type FiltersForm } from "./filters";
import { parseHeaders, showHeaders } from "./headers";

/** The settings of a trigger of any kind, as fields hold them; lists are text, one item on each line. */
export interface SettingsForm {
  kind: TriggerKind;
  events: "all" | "some";
  filters: FiltersForm;
  branches: string;
  tags: string;
  mode: PollMode;
  interval: number;
  timeout: number;
  /** Below a Subversion project's URL, or in a JSON document. */
  path: string;
  user: string;
  password: string;
  url: string;
  headers: string;
  secretHeaders: string;
  look: UrlLook;
  branch: string;
  expression: string;
  zone: string;
  missed: MissedTicks;
}

export function emptyForm(kind: TriggerKind): SettingsForm {
  return {
    kind,
    events: "all",
    filters: filtersForm(null),
    branches: "*",
    tags: "",
    mode: "latest",
    interval: kind === "url" ? 300 : 60,
    timeout: kind === "url" ? 30 : 60,
    path: "",
    user: "",
    password: "",
    url: "",
    headers: "",
    secretHeaders: "",
    look: "auto",
    branch: "",
    expression: "",
    zone: "UTC",
    missed: "skip",
  };
}

export function formOf(settings: TriggerSettings): SettingsForm {
  const form = emptyForm(settings.kind);
  switch (settings.kind) {
    case "webhook":
      form.events = settings.filters ? "some" : "all";
      form.filters = filtersForm(settings.filters);
      break;
    case "git":
      form.branches = settings.branches.join("\n");
      form.tags = settings.tags.join("\n");
      form.mode = settings.mode;
      break;
    case "subversion":
      form.path = settings.path;
      form.user = settings.user ?? "";
      form.password = settings.password ?? "";
      form.mode = settings.mode;
      break;
    case "url":
      form.url = settings.url;
      form.headers = showHeaders(settings.headers);
      form.secretHeaders = showHeaders(settings.secret_headers);
      form.look = settings.look;
      form.path = settings.path ?? "";
      form.branch = settings.branch ?? "";
      break;
    case "cron":
      form.expression = settings.expression;
      form.zone = settings.zone;
      form.missed = settings.missed;
      form.branch = settings.branch ?? "";
  }
  if ("interval_s" in settings) {
    form.interval = settings.interval_s;
    form.timeout = settings.timeout_s;
  }
  return form;
}

/** Throws `HeaderError`. */
export function settingsOf(form: SettingsForm): TriggerSettings {
  const times = { interval_s: form.interval, timeout_s: form.timeout };
  switch (form.kind) {
    case "webhook":
      return { kind: "webhook", filters: form.events === "some" ? filtersOf(form.filters) : null };
    case "git":
      return {
        kind: "git",
        branches: patternsOf(form.branches),
        tags: patternsOf(form.tags),
        mode: form.mode,
        ...times,
      };
    case "subversion":
      return {
        kind: "subversion",
        path: form.path.trim(),
        user: form.user.trim() || null,
        password: form.password.trim() || null,
        mode: form.mode,
        ...times,
      };
    case "url":
      return {
        kind: "url",
        url: form.url.trim(),
        headers: parseHeaders(form.headers),
        secret_headers: parseHeaders(form.secretHeaders),
        look: form.look,
        path: form.look === "json" ? form.path.trim() || null : null,
        branch: form.branch.trim() || null,
        ...times,
      };
    case "cron":
      return {
        kind: "cron",
        expression: form.expression.trim(),
        zone: form.zone.trim(),
        missed: form.missed,
        branch: form.branch.trim() || null,
      };
  }
}
