import { expect, it } from "vitest";
import type { TriggerSettings } from "../../src/api/types";
import { createLocales } from "../../src/locales";
import { filtersForm, filtersOf } from "../../src/triggers/filters";
import { emptyForm, formOf, settingsOf } from "../../src/triggers/form";
import { HeaderError, parseHeaders, showHeaders } from "../../src/triggers/headers";
import { TRIGGER_KINDS } from "../../src/triggers/kinds";
import { watchedBy } from "../../src/triggers/watched";

const SETTINGS: TriggerSettings[] = [
  { kind: "webhook", filters: null },
  {
    kind: "webhook",
    filters: { push: { branches: ["main", "!release/*"], paths: ["src/**"] }, workflow: { names: ["build, all"], conclusions: ["success"] } },
  },
  { kind: "git", branches: ["main", "a, b"], tags: ["v*"], interval_s: 30, mode: "every", timeout_s: 9 },
  {
    kind: "subversion",
    path: "trunk/docs",
    user: "ada",
    password: "SVN",
    interval_s: 61,
    mode: "latest",
    timeout_s: 10,
  },
  {
    kind: "url",
    url: "https://example.org/a.json",
    headers: { Accept: "a: b" },
    secret_headers: { Authorization: "TOKEN" },
    look: "json",
    path: "items[0].version",
    branch: "main",
    interval_s: 300,
    timeout_s: 30,
  },
  { kind: "cron", expression: "30 3 * * *", zone: "Europe/Berlin", missed: "once", branch: null },
];

it("settings that go into a form come out of it as they were", () => {
  for (const settings of SETTINGS) expect(settingsOf(formOf(settings))).toEqual(settings);
});

it("a form of each kind says no more than that kind has", () => {
  for (const kind of TRIGGER_KINDS) {
    const made = settingsOf(emptyForm(kind));
    const known = SETTINGS.findLast((settings) => settings.kind === kind)!;
    expect(Object.keys(made).sort()).toEqual(Object.keys(known).sort());
  }
});

it("the path of a value is sent only where a value is compared", () => {
  expect(settingsOf({ ...emptyForm("url"), look: "hash", path: "a.b" })).toMatchObject({ look: "hash", path: null });
});

it("an event that is not wanted is not named, and one that is wanted as a whole has no patterns", () => {
  const form = filtersForm(null);
  expect(filtersOf(form)).toEqual({ push: {}, tag: {}, pull_request: {} });
  form.tag.wanted = false;
  form.push.branches = " main \n\nrelease/*\n";
  expect(filtersOf(form)).toEqual({ push: { branches: ["main", "release/*"] }, pull_request: {} });
});

it("what a trigger watches is told in words that there are", () => {
  const { t, te } = createLocales("en").global;
  for (const settings of SETTINGS) {
    const { said } = watchedBy(settings);
    expect(said.every(({ key }) => te(key))).toBe(true);
  }
  const shown = watchedBy(SETTINGS[2]!);
  expect(shown.code).toEqual(["main", "a, b", "v*"]);
  expect(shown.said.map(({ key, values }) => t(key, values))).toEqual(["a run for each", "every 30 s"]);
});

it("headers are a line each, and a line that is none is named", () => {
  const headers = { Accept: "text/html", "X-Time": "12:30" };
  expect(parseHeaders(showHeaders(headers))).toEqual(headers);
  expect(() => parseHeaders("Accept: a\n\nnonsense")).toThrow(new HeaderError(3));
  expect(() => parseHeaders(": a")).toThrow(HeaderError);
});
