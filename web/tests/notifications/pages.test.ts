// @vitest-environment happy-dom
import { enableAutoUnmount, flushPromises } from "@vue/test-utils";
import { afterEach, expect, it } from "vitest";
import type { Component } from "vue";
import type { NotificationFilter } from "../../src/api/client";
import { Problem } from "../../src/api/problem";
import type { Channel, Notification, Rule } from "../../src/api/types";
import ChannelsPage from "../../src/notifications/ChannelsPage.vue";
import OutboxPage from "../../src/notifications/OutboxPage.vue";
import RulesPage from "../../src/notifications/RulesPage.vue";
import { open } from "../support/page";

enableAutoUnmount(afterEach);

const TEAM = { id: 1, project_name: null, name: "team", kind: "slack", settings: {}, secrets: ["url"], enabled: true, author: "Ada" };
const RULE = { id: 5, channel_name: "team", project_name: "shop", plan_name: "build", on: ["failed"], branches: ["main"], enabled: false, author: "Ada" };

async function show(page: Component, at = "/", refusal: Problem | null = null) {
  const said: unknown[][] = [];
  const say =
    (what: string, answer?: unknown) =>
    async (...words: unknown[]) => {
      said.push([what, ...words]);
      if (refusal) throw refusal;
      return answer;
    };
  const api = {
    projects: async () => [],
    plans: async () => [],
    channels: async () => [TEAM as unknown as Channel],
    rules: async () => [RULE as unknown as Rule],
    changeChannel: say("channel"),
    addChannel: say("add", TEAM),
    removeChannel: say("removeChannel"),
    testChannel: say("test", { ok: false, detail: "nobody listens" }),
    changeRule: say("rule"),
    removeRule: say("removeRule"),
    sendAgain: say("again"),
    async notifications(filter: NotificationFilter) {
      said.push(["list", filter]);
      const one = { id: 9, state: "failed", what: "failed", channel_name: "team", kind: "slack", run: 7, run_number: 7 };
      return { items: [{ ...one, project_name: "shop", attempts: 3, created_at: "2026-11-21T12:00:00.000Z" } as Notification], next: null };
    },
  };
  return { ...(await open(page, api, { at })), said };
}

it("a channel is tried, disabled, and removed after a question", async () => {
  const { page, said } = await show(ChannelsPage);
  await page.find("[data-testid=test-channel]").trigger("click");
  await flushPromises();
  expect(page.find("[data-testid=trial]").text()).toContain("nobody listens");
  await page.find("[aria-label='Disable: team']").trigger("click");
  await flushPromises();
  await page.find("[data-testid=remove-channel]").trigger("click");
  await page.find("dialog form").trigger("submit");
  await flushPromises();
  expect(said).toEqual([["test", 1], ["channel", 1, { enabled: false }], ["removeChannel", 1]]);
  expect(page.find("dialog").exists()).toBe(false);
  expect(page.find("[data-testid=trial]").exists()).toBe(false);
});

it("any other service is a channel by its address, and the form says what the server needs for it", async () => {
  const { page, said } = await show(ChannelsPage);
  await page.find("[data-testid=add-channel]").trigger("click");
  await flushPromises();
  const form = page.find("[data-testid=channel-form]");
  expect(form.text()).not.toContain("pip install apprise");
  await form.find("[name=kind]").setValue("apprise");
  expect(form.text()).toContain("pip install apprise");
  await form.find("[name=name]").setValue("phones");
  const url = form.find("[name=secret-url]");
  expect(form.find(`label[for=${url.attributes("id")}]`).text()).toBe("Apprise's address (secret)");
  await url.setValue("ntfys://ntfy.sh/topic");
  await form.trigger("submit");
  await flushPromises();
  const wish = { name: "phones", project: null, settings: { kind: "apprise" }, secrets: { url: "ntfys://ntfy.sh/topic" } };
  expect(said).toEqual([["add", wish]]);
});

it("a rule says when and for what, is enabled, and removed after a question", async () => {
  const { page, said } = await show(RulesPage);
  const row = page.find("[data-testid=rule-row]").text();
  for (const word of ["team", "shop / build", "each failure", "main", "Disabled"]) expect(row).toContain(word);
  await page.find("[aria-label='Enable: team, shop / build']").trigger("click");
  await flushPromises();
  await page.find("[data-testid=remove-rule]").trigger("click");
  await page.find("dialog form").trigger("submit");
  await flushPromises();
  expect(said).toEqual([["rule", 5, { enabled: true }], ["removeRule", 5]]);
});

it("what the server refuses is said on the page", async () => {
  const { page } = await show(ChannelsPage, "/", new Problem({ status: 409, detail: "it was removed" }));
  await page.find("[data-testid=mode-channel]").trigger("click");
  await flushPromises();
  expect(page.find("[role=alert]").text()).toBe("it was removed");
});

it("the outbox is asked for what its address says, and sends again what failed", async () => {
  const { page, said, router } = await show(OutboxPage, "/notifications?state=failed");
  await page.find("[data-testid=send-again]").trigger("click");
  await flushPromises();
  await page.find("select").setValue("1");
  await flushPromises();
  expect(router.currentRoute.value.query).toEqual({ state: "failed", channel: "1" });
  const failed = ["list", { state: "failed", channel: "" }];
  expect(said).toEqual([failed, ["again", 9], failed, ["list", { state: "failed", channel: "1" }]]);
});
