// @vitest-environment happy-dom
import { enableAutoUnmount, flushPromises } from "@vue/test-utils";
import { afterEach, expect, it } from "vitest";
import { Problem } from "../../src/api/problem";
import type { Secret } from "../../src/api/types";
import SecretsPage from "../../src/secrets/SecretsPage.vue";
import { open } from "../support/page";

enableAutoUnmount(afterEach);

const AT = "2026-11-21T12:00:00.000Z";
const SECRET: Secret = {
  ...{ id: 7, name: "TOKEN", project: null, project_name: null, author: "Ada", warnings: [] },
  ...{ created_at: AT, updated_at: AT },
};

it("a secret that cannot be removed says so in the dialog and stays; then it goes, and that is said", async () => {
  const world = { items: [SECRET], refusal: "the database is away" };
  const api = {
    projects: async () => [],
    secrets: async () => world.items,
    async removeSecret(id: number) {
      if (world.refusal) throw new Problem({ status: 503, detail: world.refusal });
      world.items = world.items.filter((item) => item.id !== id);
    },
  };
  const { page } = await open(SecretsPage, api, { at: "/secrets" });
  await page.find("[data-testid=remove-secret]").trigger("click");
  await page.find("dialog form").trigger("submit");
  await flushPromises();
  expect(page.find("dialog [role=alert]").text()).toBe("the database is away");
  world.refusal = "";
  await page.find("dialog form").trigger("submit");
  await flushPromises();
  expect(page.find("dialog").exists()).toBe(false);
  expect(page.findAll("[data-testid=secret-row]")).toHaveLength(0);
  expect(page.find("[role=status]").text()).toBe("TOKEN was removed.");
});
