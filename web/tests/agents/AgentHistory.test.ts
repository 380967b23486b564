// @vitest-environment happy-dom
import { enableAutoUnmount, flushPromises } from "@vue/test-utils";
import { afterEach, expect, it } from "vitest";
import AgentHistory from "../../src/agents/AgentHistory.vue";
import { Problem } from "../../src/api/problem";
import type { AgentChange, Cursor } from "../../src/api/types";
import { open } from "../support/page";

enableAutoUnmount(afterEach);

const CHANGES: AgentChange[] = [
  { id: 3, what: "resumed", by: "Bob", why: null, at: "2026-11-21T12:00:00.000Z" },
  { id: 2, what: "paused", by: "Ada", why: "a new disk", at: "2026-11-21T11:00:00.000Z" },
  { id: 1, what: "renamed from a to b", by: "Ada", why: null, at: "2026-11-20T11:00:00.000Z" },
];

async function show(all: AgentChange[] | Problem) {
  const asked: (Cursor | null)[] = [];
  const api = {
    async agentChanges(_id: number, cursor: number | null) {
      asked.push(cursor);
      if (all instanceof Problem) throw all;
      const rest = all.filter(({ id }) => cursor === null || id < cursor);
      return { items: rest.slice(0, 2), next: rest.length > 2 ? rest[1]!.id : null };
    },
  };
  const { page } = await open(AgentHistory, api, { props: { agent: { id: 7, name: "quay-1" } } });
  const toggle = async (open: boolean): Promise<void> => {
    page.find<HTMLDetailsElement>("details").element.open = open;
    await flushPromises();
  };
  return { page, asked, toggle };
}

it("is asked for when it is opened, newest first, with who and why; then the older ones", async () => {
  const { page, asked, toggle } = await show(CHANGES);
  expect(asked).toEqual([]);
  await toggle(true);
  const rows = (): string[] => page.findAll("[data-testid=agent-change]").map((row) => row.text().replace(/\s+/g, " "));
  expect(rows()[0]).toMatch(/^resumed ?by Bob/);
  expect(rows()[1]).toMatch(/^paused ?by Ada .*“a new disk”$/);
  await page.find("button").trigger("click");
  await flushPromises();
  expect(asked).toEqual([null, 2]);
  expect(rows()).toHaveLength(3);
  expect(page.find("button").exists()).toBe(false);
});

it("is asked for anew when it is opened again", async () => {
  const { asked, toggle } = await show(CHANGES);
  await toggle(true);
  await toggle(false);
  await toggle(true);
  expect(asked).toEqual([null, null]);
});

it("that there is none, or that it cannot be had, is said", async () => {
  const none = await show([]);
  await none.toggle(true);
  expect(none.page.text()).toContain("Nobody changed it yet");
  const away = await show(new Problem({ status: 404, detail: "there is no agent 7" }));
  await away.toggle(true);
  expect(away.page.find("[role=alert]").text()).toBe("there is no agent 7");
});
