// @vitest-environment happy-dom
import { enableAutoUnmount, flushPromises } from "@vue/test-utils";
import { afterEach, expect, it } from "vitest";
import TokensPage from "../../src/access/TokensPage.vue";
import type { Token, TokenDraft } from "../../src/api/types";
import { open } from "../support/page";

enableAutoUnmount(afterEach);

const TOKEN: Token = {
  id: 1,
  name: "admin",
  role: "admin",
  author: null,
  created_at: "2026-11-21T10:00:00.000Z",
  used_at: "2026-11-21T10:00:00.000Z",
  expires_at: null,
};
const OLD: Token = { ...TOKEN, id: 2, name: "old", role: "reader", author: "admin", expires_at: "2020-01-01T00:00:00.000Z" };

function fakeApi(tokens: Token[]) {
  const drafts: TokenDraft[] = [];
  return {
    drafts,
    tokens: async () => tokens,
    async makeToken(draft: TokenDraft) {
      drafts.push(draft);
      tokens = [...tokens, { ...OLD, id: 3, name: draft.name, role: draft.role, expires_at: null }];
      return { ...tokens.at(-1)!, token: "trt_value" };
    },
    async removeToken(id: number) {
      tokens = tokens.filter((token) => token.id !== id);
    },
  };
}

it("lists who may call; the server's own cannot be removed", async () => {
  const { page } = await open(TokensPage, fakeApi([TOKEN, OLD]));
  const rows = page.findAll("[data-testid=token-row]");
  expect(rows.map((row) => row.attributes("data-name"))).toEqual(["admin", "old"]);
  expect(rows.map((row) => row.find("[data-testid=remove-token]").exists())).toEqual([false, true]);
  expect(rows[0]!.text()).toContain("does not expire");
  expect(rows[1]!.text()).toContain("has expired");
  await rows[1]!.find("[data-testid=remove-token]").trigger("click");
  await page.find("dialog form").trigger("submit");
  await flushPromises();
  expect(page.findAll("[data-testid=token-row]")).toHaveLength(1);
});

it("shows the value of a new one once, and lists it when that was seen", async () => {
  const api = fakeApi([TOKEN]);
  const { page } = await open(TokensPage, api);
  await page.find("[data-testid=add-token]").trigger("click");
  await page.find("input[name=name]").setValue("bot");
  await page.find("[data-testid=token-form]").trigger("submit");
  await flushPromises();
  expect(api.drafts).toEqual([{ name: "bot", role: "reader", life_s: 90 * 24 * 3600 }]);
  expect(page.find<HTMLInputElement>("[data-testid=made-token] input").element.value).toBe("trt_value");
  await page.find("[data-testid=made-token] form").trigger("submit");
  await flushPromises();
  expect(page.html()).not.toContain("trt_value");
  expect(page.findAll("[data-testid=token-row]")).toHaveLength(2);
});
