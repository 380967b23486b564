// @vitest-environment happy-dom
import { enableAutoUnmount, flushPromises } from "@vue/test-utils";
import { afterEach, expect, it } from "vitest";
import AgentHistory from "../../src/agents/AgentHistory.vue";
import { Problem } from "../../src/api/problem";
import type { AgentChange, Cursor } from "../../src/api/types";
import type { Locale } from "../../src/locales";
import { open } from "../support/page";

enableAutoUnmount(afterEach);

const CHANGES: AgentChange[] = [
  { id: 3, what: "resumed", parts: [{ kind: "mode", mode: "active" }], by: "Bob", why: null, at: "2026-11-21T12:00:00.000Z" },
  { id: 2, what: "paused", parts: [{ kind: "mode", mode: "paused" }], by: "Ada", why: "a new disk", at: "2026-11-21T11:00:00.000Z" },
  { id: 1, what: "renamed from a to b", parts: null, by: "Ada", why: null, at: "2026-11-20T11:00:00.000Z" },
];

async function show(all: AgentChange[] | Problem, locale: Locale = "en") {
  const asked: (Cursor | null)[] = [];
  const api = {
    async agentChanges(_id: number, cursor: number | null) {
      asked.push(cursor);
      if (all instanceof Problem) throw all;
      const rest = all.filter(({ id }) => cursor === null || id < cursor);
      return { items: rest.slice(0, 2), next: rest.length > 2 ? rest[1]!.id : null };
    },
  };
  const { page } = await open(AgentHistory, api, { props: { agent: { id: 7, name: "quay-1" } }, locale });
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

it("says what was changed in the reader's language, and in the words that an older server kept where it kept no others", async () => {
  const change = (id: number, parts: AgentChange["parts"], what = ""): AgentChange => ({
    id, what, parts, by: "Ada", why: null, at: "2026-11-21T12:00:00.000Z",
  });
  const said = async (parts: AgentChange["parts"], what?: string): Promise<string> => {
    const { page, toggle } = await show([change(1, parts, what)], "zh-CN");
    await toggle(true);
    return page.find("[data-testid=agent-change] strong").text();
  };
  const two = [{ id: 1, name: "shop" }, { id: 2, name: "harbour" }];
  expect(await said([{ kind: "name", before: "a", after: "b" }, { kind: "mode", mode: "draining" }])).toBe(
    "由 a 更名为 b；开始排空",
  );
  expect(await said([{ kind: "labels", labels: ["gpu", "prod"] }])).toBe("标签设为 gpu、prod");
  expect(await said([{ kind: "labels", labels: [] }, { kind: "projects", projects: two }])).toBe(
    "标签已清空；只允许项目 shop、harbour",
  );
  expect(await said([{ kind: "projects", projects: null }])).toBe("允许所有项目");
  expect(await said(null, "told to drain")).toBe("told to drain");
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
