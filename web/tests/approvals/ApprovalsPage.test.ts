// @vitest-environment happy-dom
import { enableAutoUnmount, flushPromises } from "@vue/test-utils";
import { afterEach, expect, it, vi } from "vitest";
import { Problem } from "../../src/api/problem";
import type { ApprovalFilter } from "../../src/api/client";
import type { Approval, ApprovalState } from "../../src/api/types";
import ApprovalsPage from "../../src/approvals/ApprovalsPage.vue";
import { useOpenApprovals } from "../../src/approvals/open";
import { open } from "../support/page";

enableAutoUnmount(afterEach);

function approval(fields: Partial<Approval>): Approval {
  return {
    ...{ id: 1, state: "open", project: 1, project_name: "shop", plan_name: "deploy", run: 70, run_number: 7 },
    ...{ job: 71, job_name: "out", environment: "production", approvers: null, branch: "main" },
    ...{ revision: "b28b7af69320201d", title: "Grind finer", author: "Ada", from_fork: false },
    ...{ asked_at: "2026-11-21T12:00:00.000Z", by: null, why: null, at: null },
    ...fields,
  };
}

async function show(items: Approval[], { at = "/approvals", refusal = "", locale = "en" as "en" | "zh-CN" } = {}) {
  const world = { items, asked: [] as ApprovalFilter[], said: [] as unknown[] };
  const api = {
    projects: async () => [{ id: 1, name: "shop" }],
    async approvals(filter: ApprovalFilter) {
      world.asked.push(filter);
      return { items: world.items.filter(({ state }) => !filter.state || filter.state === state), next: null };
    },
    async decide(id: number, approve: boolean, why: string) {
      if (refusal) throw new Problem({ status: 403, detail: refusal });
      world.said.push([id, approve, why]);
      const state: ApprovalState = approve ? "approved" : "rejected";
      world.items = world.items.map((one) => (one.id === id ? { ...one, state, by: "Bob", why } : one));
      return world.items.find((one) => one.id === id)!;
    },
  };
  return { ...(await open(ApprovalsPage, api, { at, locale })), world };
}

it("what waits is shown first, with what it is, where it leads and who may decide", async () => {
  const { page, world } = await show([approval({ approvers: ["ada", "bob"] }), approval({ id: 2, state: "rejected" })]);
  expect(world.asked).toEqual([{ project: "", state: "open" }]);
  const [row, ...others] = page.findAll("[data-testid=approval-row]");
  expect(others).toEqual([]);
  for (const word of ["shop #7", "Grind finer", "Job out", "environment production", "main", "b28b7af693", "by Ada"])
    expect(row!.text()).toContain(word);
  expect(row!.text()).not.toContain("from a fork");
  expect(row!.text()).toContain("May decide: ada, bob");
  expect(row!.find("a").attributes("href")).toBe("/runs/70/jobs/71");
});

it("a run from a fork is one decision, and says so", async () => {
  const { page } = await show([approval({ job: null, job_name: null, environment: null, from_fork: true })]);
  expect(page.text()).toContain("comes from a fork");
  expect(page.find(".fork").text()).toBe("from a fork");
  expect(page.find("[data-testid=approval-row] a").attributes("href")).toBe("/runs/70");
});

it("approved and rejected with the reason beside it; what was decided leaves the list and is told", async () => {
  const { page, world } = await show([approval({}), approval({ id: 2, run_number: 8 })]);
  const [first, second] = page.findAll("form");
  await second!.find("[name=why]").setValue("  not today ");
  await second!.find("[data-testid=reject-button]").trigger("click");
  await flushPromises();
  expect(world.said).toEqual([[2, false, "not today"]]);
  expect(page.findAll("[data-testid=approval-row]")).toHaveLength(1);
  expect(page.find("[role=status]").text()).toBe("shop #8: Rejected");
  await first!.trigger("submit");
  await flushPromises();
  expect(world.said[1]).toEqual([1, true, ""]);
  expect(page.text()).toContain("Nothing waits for approval");
});

it("who may not decide is told, and it waits on with what was typed", async () => {
  const { page } = await show([approval({})], { refusal: "environment production is for ada" });
  await page.find("[name=why]").setValue("please");
  await page.find("form").trigger("submit");
  await flushPromises();
  expect(page.find("[role=alert]").text()).toBe("environment production is for ada");
  expect(page.find("[name=why]").element).toHaveProperty("value", "please");
});

it("decided ones say by whom, when and why, and have no buttons", async () => {
  const decided = approval({ state: "rejected", by: "Bob", why: "not today", at: "2026-11-21T12:05:00.000Z" });
  const { page, world } = await show([decided], { at: "/approvals?state=any&project=1" });
  expect(world.asked).toEqual([{ project: "1", state: "" }]);
  expect(page.find("[data-testid=approval-decision]").text()).toMatch(/by Bob.*“not today”/);
  expect(page.find("form").exists()).toBe(false);
});

it("is asked for anew when something was asked or decided elsewhere, and by no clock", async () => {
  vi.useFakeTimers();
  const { page, world } = await show([approval({})]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(world.asked).toHaveLength(1);
  world.items = [...world.items, approval({ id: 2, run_number: 8 })];
  useOpenApprovals().told(2);
  await flushPromises();
  expect(world.asked).toHaveLength(2);
  expect(page.findAll("[data-testid=approval-row]")).toHaveLength(2);
  vi.useRealTimers();
});

it("all of it is said in Chinese too", async () => {
  const { page } = await show([approval({ from_fork: true })], { locale: "zh-CN" });
  for (const word of ["审批", "待审批", "任务 out", "批准", "拒绝", "来自复刻仓库"]) expect(page.text()).toContain(word);
});
