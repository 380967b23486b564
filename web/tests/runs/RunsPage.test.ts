// @vitest-environment happy-dom
import { enableAutoUnmount, flushPromises } from "@vue/test-utils";
import { afterEach, expect, it } from "vitest";
import type { RunFilter } from "../../src/api/client";
import RunsPage from "../../src/runs/RunsPage.vue";
import { liveKey } from "../../src/services";
import { open } from "../support/page";

enableAutoUnmount(afterEach);

async function show(at: string) {
  const asked: RunFilter[] = [];
  const api = {
    plans: async () => [
      { id: 4, project: 1, project_name: "shop", name: "build" },
      { id: 5, project: 2, project_name: "mill", name: "grind" },
      { id: 6, project: 1, project_name: "shop", name: "deploy" },
    ],
    async runs(filter: RunFilter) {
      asked.push(filter);
      return { items: [], next: null };
    },
  };
  const live = { connection: { watch: () => () => {} } };
  return { ...(await open(RunsPage, api, { at, provide: { [liveKey as symbol]: live } })), asked };
}

it("all plans of a project, one plan, or any: as the address says", async () => {
  const { page, asked, router } = await show("/runs?project=1");
  const [, plan] = page.findAll("select");
  expect(asked).toEqual([{ project: "1", limit: 50 }]);
  expect(plan!.element.value).toBe("project 1");
  expect(plan!.findAll("optgroup").map((group) => group.attributes("label"))).toEqual(["shop", "mill"]);
  await plan!.setValue("5");
  await flushPromises();
  expect(router.currentRoute.value.query).toEqual({ plan: "5" });
  expect(asked.at(-1)).toEqual({ plan: "5", limit: 50 });
  await plan!.setValue("project 2");
  await flushPromises();
  expect(router.currentRoute.value.query).toEqual({ project: "2" });
  await plan!.setValue("");
  await flushPromises();
  expect(asked.at(-1)).toEqual({ limit: 50 });
});
