// @vitest-environment happy-dom
import { flushPromises, mount } from "@vue/test-utils";
import { expect, it, vi } from "vitest";
import type { Api } from "../../src/api/client";
import { Problem } from "../../src/api/problem";
import type { Plan, TriggerDraft } from "../../src/api/types";
import { createLocales } from "../../src/locales";
import { apiKey } from "../../src/services";
import TriggerDialog from "../../src/triggers/TriggerDialog.vue";

const PLANS = [{ id: 4, project: 1, project_name: "shop", name: "build" }] as Plan[];

function open(answer: (draft: TriggerDraft) => void = () => {}) {
  const drafts: TriggerDraft[] = [];
  const api = {
    async addTrigger(draft: TriggerDraft) {
      answer(draft);
      drafts.push(draft);
      return draft;
    },
    async previewCron(expression: string, zone: string) {
      if (expression === "wrong") throw new Problem({ status: 400, detail: "minute: expected 0 to 59" });
      return { expression, zone, fixed: true, ticks: [{ at: "", local: "2026-11-22T03:30:00+01:00" }] };
    },
  };
  const dialog = mount(TriggerDialog, {
    props: { trigger: null, plans: PLANS },
    global: { plugins: [createLocales("en")], provide: { [apiKey as symbol]: api as unknown as Api } },
  });
  return { dialog, drafts };
}

it("a cron trigger shows its next times in its zone, or what is wrong, while it is typed", async () => {
  vi.useFakeTimers();
  const { dialog, drafts } = open();
  await dialog.find("[name=expression]").setValue("30 3 * * *");
  await vi.advanceTimersByTimeAsync(300);
  expect(dialog.find("[data-testid=cron-preview]").text()).toContain("2026-11-22 03:30:00 +01:00");
  await dialog.find("[name=expression]").setValue("wrong");
  await vi.advanceTimersByTimeAsync(300);
  expect(dialog.find("[data-testid=cron-preview]").exists()).toBe(false);
  expect(dialog.find("[name=expression]").attributes("aria-invalid")).toBe("true");
  expect(dialog.text()).toContain("expected 0 to 59");
  vi.useRealTimers();

  await dialog.find("[name=name]").setValue("nightly");
  await dialog.find("[name=expression]").setValue("0 4 * * *");
  await dialog.find("form").trigger("submit");
  await flushPromises();
  expect(drafts).toEqual([
    {
      plan: 4,
      name: "nightly",
      settings: { kind: "cron", expression: "0 4 * * *", zone: "UTC", missed: "skip", branch: null },
    },
  ]);
  expect(dialog.emitted("saved")).toHaveLength(1);
});

it("what is wrong is said beside its field, and what has no field as a notice", async () => {
  const { dialog } = open(() => {
    throw new Problem({
      status: 422,
      detail: "all of it",
      errors: [
        { place: "body.settings.git.interval_s", message: "Input should be greater than or equal to 5" },
        { place: "body.settings.git", message: "Value error, expected a pattern" },
      ],
    });
  });
  await dialog.find("[name=kind]").setValue("git");
  await dialog.find("form").trigger("submit");
  await flushPromises();
  const field = dialog.find("[name=interval]");
  expect(field.attributes("aria-invalid")).toBe("true");
  expect(dialog.find(`#${field.attributes("aria-describedby")}`).text()).toContain("equal to 5");
  expect(dialog.find("p.problem").text()).toBe("expected a pattern");
  expect(dialog.emitted("saved")).toBeUndefined();
});

it("a header that is none is not sent", async () => {
  const { dialog, drafts } = open();
  await dialog.find("[name=kind]").setValue("url");
  await dialog.find("textarea").setValue("nonsense");
  await dialog.find("form").trigger("submit");
  await flushPromises();
  expect(dialog.find("p.problem").text()).toContain("Line 1");
  expect(drafts).toEqual([]);
});
