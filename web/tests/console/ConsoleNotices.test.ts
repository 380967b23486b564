// @vitest-environment happy-dom
import { mount } from "@vue/test-utils";
import { expect, it } from "vitest";
import { Problem } from "../../src/api/problem";
import type { Attempt, LogState } from "../../src/api/types";
import ConsoleNotices from "../../src/console/ConsoleNotices.vue";
import type { TopicError } from "../../src/live/frames";
import { createLocales, type Locale } from "../../src/locales";

interface Shown {
  ended?: LogState;
  error?: TopicError;
  trouble?: Problem;
  locale?: Locale;
}

function open(attempt: Partial<Attempt>, { ended, error, trouble, locale = "en" }: Shown = {}) {
  return mount(ConsoleNotices, {
    props: {
      attempt: { log_state: "open", stalled: null, log_dropped: 0, ...attempt } as Attempt,
      ended: ended ?? null,
      error: error ?? null,
      trouble: trouble ?? null,
    },
    global: { plugins: [createLocales(locale)] },
  });
}

/** What is noticed, by name, in the order in which it is shown. */
function said(notices: ReturnType<typeof open>): [name: string | undefined, text: string][] {
  return notices.findAll(".note").map((note) => [note.attributes("data-testid"), note.text()]);
}

it("of a log that is whole nothing is said, whether it grows or has ended", () => {
  for (const log_state of ["open", "closed", "sealed"] as const) expect(said(open({ log_state }))).toEqual([]);
  expect(said(open({}, { ended: "closed" }))).toEqual([]);
});

it("output that stands still says why, and no longer when it goes on", async () => {
  const notices = open({ stalled: "the agent's disk is full" });
  expect(said(notices)).toEqual([["log-stalled", "Output stands still: the agent's disk is full"]]);
  await notices.setProps({ attempt: { log_state: "open", stalled: null } as Attempt });
  expect(said(notices)).toEqual([]);
});

it("output beyond the log's limit is told with its size", () => {
  expect(said(open({ log_dropped: 1536 }))).toEqual([
    ["log-dropped", "1.5 KB of output beyond the log's limit were not kept."],
  ]);
});

it("a log that retention took says when and by which rule, not that it is incomplete", () => {
  const removed = { log_state: "removed", log_removed_at: "2026-11-02T03:04:05.678Z", log_removed_why: "older than 30 days" } as const;
  const error = { status: 410, detail: "the log was removed" };
  const notices = open(removed, { ended: "truncated", error });
  expect(said(notices)).toEqual([
    ["log-removed", "This log was removed by retention on 2026-11-02: older than 30 days. What the run came to is kept."],
  ]);
});

it("a truncated log says so, known from the attempt or from the log's own end", () => {
  const truncated = [["log-truncated", "The log is not complete: its agent was lost."]];
  expect(said(open({ log_state: "truncated" }))).toEqual(truncated);
  expect(said(open({ log_state: "open" }, { ended: "truncated" }))).toEqual(truncated);
});

it("several things are said beside each other, in the reader's language", () => {
  const notices = open({ stalled: "磁盘已满", log_dropped: 10, log_state: "truncated" }, { locale: "zh-CN" });
  expect(said(notices).map(([name]) => name)).toEqual(["log-stalled", "log-dropped", "log-truncated"]);
  for (const [, text] of said(notices)) expect(text).toMatch(/\p{Script=Han}/u);
  expect(notices.text()).toContain("磁盘已满");
});

it("what the server refuses is an alert with its words", () => {
  const notices = open({}, { error: { status: 404, detail: "there is no log 7" } });
  expect(notices.find("[role=alert]").text()).toContain("there is no log 7");
});

it("a part that could not be loaded is asked for again by a button", async () => {
  const away = open({}, { trouble: new Problem({ status: 0 }) });
  expect(away.find("[role=alert]").text()).toContain("The server cannot be reached");
  const notices = open({}, { trouble: new Problem({ status: 503, detail: "the archive is away" }) });
  expect(notices.find("[role=alert]").text()).toContain("the archive is away");
  await notices.find("[role=alert] button").trigger("click");
  expect(notices.emitted("retry")).toHaveLength(1);
});

it("screen readers are told what appears", () => {
  expect(open({}).find("[aria-live=polite]").exists()).toBe(true);
});
