// @vitest-environment happy-dom
import { enableAutoUnmount, flushPromises } from "@vue/test-utils";
import { afterEach, expect, it } from "vitest";
import { Problem } from "../../src/api/problem";
import PlansPage from "../../src/plans/PlansPage.vue";
import { open } from "../support/page";

enableAutoUnmount(afterEach);

async function show({ asks = false, refusal = null as Problem | null, at = "/plans" } = {}) {
  const world = { started: [] as unknown[], removed: [] as number[], restored: [] as string[] };
  const plan = { id: 4, project: 1, project_name: "shop", name: "build", path: null, version: 2 };
  const api = {
    projects: async () => [{ id: 1, name: "shop", repository: "/r", has_webhook_secret: false }],
    plans: async () => (world.removed.length > world.restored.length ? [] : [plan]),
    removedProjects: async () => [],
    removedPlans: async () => (world.removed.length > world.restored.length ? [{ ...plan, removed_at: null }] : []),
    parameters: async () => ({ version: 2, items: asks ? [{ name: "LEVEL", kind: "string", default: null }] : [] }),
    async startRun(draft: unknown) {
      if (refusal) throw refusal;
      world.started.push(draft);
      return { id: 9 };
    },
    removePlan: async (id: number) => void world.removed.push(id),
    restorePlan: async (id: number) => world.restored.push(`plan ${id}`),
  };
  return { ...(await open(PlansPage, api, { at })), world };
}

it("a plan that asks for nothing runs at once", async () => {
  const { page, world, router } = await show();
  await page.find("[data-testid=run-plan]").trigger("click");
  await flushPromises();
  expect(world.started).toEqual([{ plan: 4 }]);
  expect(router.currentRoute.value.path).toBe("/runs/9");
});

it("one that asks for something asks first", async () => {
  const { page, world } = await show({ asks: true });
  await page.find("[data-testid=run-plan]").trigger("click");
  await flushPromises();
  expect(page.find("[data-testid=run-form] [name=LEVEL]").exists()).toBe(true);
  expect(world.started).toEqual([]);
});

it("one that asks for nothing can be started with options too", async () => {
  const { page } = await show();
  await page.find("[data-testid=run-with]").trigger("click");
  await flushPromises();
  expect(page.find("[data-testid=run-form] [name=revision]").exists()).toBe(true);
});

it("why it did not start is said", async () => {
  const { page } = await show({ refusal: new Problem({ status: 409, detail: "the plan is removed" }) });
  await page.find("[data-testid=run-plan]").trigger("click");
  await flushPromises();
  expect(page.find("[role=alert]").text()).toBe("the plan is removed");
});

it("a plan is removed after a question, and comes back; whether the removed are shown stands in the address", async () => {
  const { page, world, router } = await show();
  await page.find("[data-testid=remove-plan]").trigger("click");
  expect(page.find("dialog").text()).toContain("Remove shop / build?");
  await page.find("dialog form").trigger("submit");
  await flushPromises();
  expect(world.removed).toEqual([4]);
  expect(page.find("[data-testid=plan-row]").exists()).toBe(false);
  await page.find("[data-testid=show-removed]").trigger("click");
  await flushPromises();
  expect(router.currentRoute.value.query).toEqual({ removed: "1" });
  await page.find("[aria-label='Restore: shop / build']").trigger("click");
  await flushPromises();
  expect(world.restored).toEqual(["plan 4"]);
  expect(page.find("[data-testid=plan-row]").exists()).toBe(true);
  expect(page.find("[data-testid=news]").text()).toBe("shop / build is back.");
});

it("each project leads to its settings, webhooks, environments, badges, secrets and triggers", async () => {
  const { page } = await show();
  const links = page.findAll("footer a").map((link) => link.attributes("href"));
  expect(links).toEqual([
    ...["/projects/1", "/projects/1/webhooks", "/projects/1/environments", "/projects/1/badges"],
    ...["/secrets?project=1", "/triggers?project=1"],
  ]);
  expect(page.find("footer").text()).toContain("No webhook secret");
});
