// @vitest-environment happy-dom
import { enableAutoUnmount } from "@vue/test-utils";
import { afterEach, expect, it } from "vitest";
import VersionsPage from "../../src/plans/VersionsPage.vue";
import { open } from "../support/page";

enableAutoUnmount(afterEach);

it("what only a fork has is not in force, and is not what is compared at first", async () => {
  const compared: number[][] = [];
  const created_at = "2026-11-21T12:00:00Z";
  const version = (number: number, more: object) => ({ id: number, number, from_fork: false, created_at, ...more });
  const api = {
    plan: async () => ({ id: 4, project_name: "shop", name: "build", path: ".tailrace.yml", version: 3 }),
    versions: async () => [
      version(4, { ref: "refs/pull/7/head", from_fork: true, in_force: false, author: "stranger" }),
      version(3, { ref: "refs/heads/main", in_force: true, author: "Ada" }),
      version(2, { ref: "refs/pull/6/head", from_fork: true, in_force: false, author: "stranger" }),
      version(1, { ref: "refs/heads/main", in_force: false, author: "Ada" }),
    ],
    async difference(_plan: number, from: number, to: number) {
      compared.push([from, to]);
      return { from, to, diff: "" };
    },
  };
  const { page } = await open(VersionsPage, api, { at: "/plans/4/versions", route: "/plans/:plan/versions" });
  const chips = page.findAll("[data-testid=version-row]").map((row) => row.findAll(".chip").map((chip) => chip.text()));
  expect(chips).toEqual([["of a fork"], ["in force"], ["of a fork"], []]);
  expect(page.text()).toContain("refs/pull/7/head");
  expect(compared).toEqual([[1, 3]]);
});
