// @vitest-environment happy-dom
import { flushPromises, mount } from "@vue/test-utils";
import { createPinia } from "pinia";
import { expect, it } from "vitest";
import type { Api } from "../../src/api/client";
import { Problem } from "../../src/api/problem";
import type { Job, Run } from "../../src/api/types";
import { createLocales } from "../../src/locales";
import ApprovalPanel from "../../src/runs/ApprovalPanel.vue";
import { apiKey } from "../../src/services";

function run(approval: number | null, ...jobs: Partial<Job>[]): Run {
  return { id: 1, approval, jobs } as Run;
}

function open(shown: Run, refusal?: string) {
  const said: unknown[] = [];
  const api = {
    async decide(...decision: unknown[]) {
      if (refusal) throw new Problem({ status: 403, detail: refusal });
      said.push(decision);
    },
  };
  const panel = mount(ApprovalPanel, {
    props: { run: shown },
    global: { plugins: [createPinia(), createLocales("en")], provide: { [apiKey as symbol]: api as unknown as Api } },
  });
  return { panel, said };
}

it("shows nothing while nobody is asked", () => {
  const { panel } = open(run(null, { id: 2, name: "deploy", approval: null }));
  expect(panel.find("[data-testid=approvals]").exists()).toBe(false);
});

it("decides for each job by itself, with the reason that was written beside it", async () => {
  const { panel, said } = open(
    run(null, { name: "test" }, { name: "a", approval: 7, environment: "staging" }, { name: "b", approval: 8, environment: "live" }),
  );
  const [first, second] = panel.findAll("form");
  expect(first!.text()).toContain("a");
  expect(first!.text()).toContain("staging");
  await second!.find("input").setValue("not today");
  await second!.find("[data-testid=reject-button]").trigger("click");
  await first!.trigger("submit");
  await flushPromises();
  expect(said).toEqual([
    [8, false, "not today"],
    [7, true, ""],
  ]);
});

it("a run from a fork is one decision", async () => {
  const { panel, said } = open(run(3, { name: "a" }, { name: "b" }));
  expect(panel.findAll("form").length).toBe(1);
  expect(panel.text()).toContain("fork");
  await panel.find("form").trigger("submit");
  await flushPromises();
  expect(said).toEqual([[3, true, ""]]);
});

it("who may not decide is told", async () => {
  const { panel } = open(run(3), "allowed: Bob");
  await panel.find("form").trigger("submit");
  await flushPromises();
  expect(panel.find("[role=alert]").text()).toContain("allowed: Bob");
  expect(panel.find("[data-testid=approve-button]").attributes("disabled")).toBeUndefined();
});
