// @vitest-environment happy-dom
import { enableAutoUnmount, flushPromises, mount, type VueWrapper } from "@vue/test-utils";
import { createPinia } from "pinia";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import AgentsPage from "../../src/agents/AgentsPage.vue";
import type { Api } from "../../src/api/client";
import { Problem } from "../../src/api/problem";
import type { Agent, AgentMode } from "../../src/api/types";
import type { TopicWatcher } from "../../src/live/connection";
import { createLocales, type Locale } from "../../src/locales";
import { apiKey, liveKey, type Live } from "../../src/services";

const NOW = Date.parse("2026-11-21T12:00:00.000Z");
const GIB = 2 ** 30;

function agent(fields: Partial<Agent> = {}): Agent {
  return {
    id: 1,
    name: "quay-1",
    state: "online",
    labels: ["linux", "docker"],
    capacity: 4,
    busy: 1,
    version: "0.1.0",
    address: "10.0.0.7",
    trouble: null,
    machine: {
      hostname: "quay-1.example.org",
      system: "Debian GNU/Linux 12, Linux 6.1.0",
      architecture: "x86_64",
      processors: 8,
      memory: 32 * GIB,
      disk: 500 * GIB,
      tools: { git: "2.39.5", "python3.11": "3.11" },
    },
    load: { waiting: 0.34, memory_free: 12.5 * GIB, disk_free: 210 * GIB },
    mode: "active",
    mode_by: null,
    mode_why: null,
    mode_at: null,
    first_seen_at: "2026-11-01T12:00:00.000Z",
    last_seen_at: "2026-11-21T11:59:58.000Z",
    ...fields,
  };
}

enableAutoUnmount(afterEach);
beforeEach(() => void vi.useFakeTimers({ now: NOW }));
afterEach(() => void vi.useRealTimers());

function open(items: Agent[], { refusal = null as Problem | null, locale = "en" as Locale } = {}) {
  const watchers: TopicWatcher[] = [];
  const live = {
    connection: {
      watch(watcher: TopicWatcher) {
        watchers.push(watcher);
        return () => {};
      },
    },
  };
  const world = { agents: items, said: [] as unknown[], gate: Promise.resolve() };
  const api = {
    skew: 0,
    async agents() {
      if (refusal) throw refusal;
      const found = world.agents;
      await world.gate;
      return found;
    },
    async setAgentMode(id: number, mode: AgentMode, why: string) {
      if (refusal) throw refusal;
      world.said.push([id, mode, why]);
      const by = mode === "active" ? null : "Ada";
      return { ...items.find((item) => item.id === id)!, mode, mode_by: by, mode_why: why || null };
    },
  };
  const page = mount(AgentsPage, {
    attachTo: document.body,
    global: {
      plugins: [createPinia(), createLocales(locale)],
      provide: { [apiKey as symbol]: api as unknown as Api, [liveKey as symbol]: live as unknown as Live },
    },
  });
  const tell = async (told: Agent[]): Promise<void> => {
    for (const watcher of watchers) watcher.receive({ topic: "agents", items: told });
    await flushPromises();
  };
  return { page, world, tell };
}

async function show(fields: Partial<Agent>, locale: Locale = "en"): Promise<VueWrapper> {
  const { page, tell } = open([], { locale });
  await tell([agent(fields)]);
  return page;
}

/** What is said under a name, its blanks as one. */
function text(page: VueWrapper, name: string): string {
  return page.find(`[data-testid=${name}]`).text().replace(/\s+/g, " ");
}

const offered = (page: VueWrapper): string[] => page.findAll(".do button").map((button) => button.text());

it("machine and load are told in words, with where it connects from, its version and when it was seen", async () => {
  const page = await show({});
  for (const word of ["quay-1.example.org", "8 processors", "x86_64", "32.0 GB of memory", "500 GB of disk", "Debian"])
    expect(text(page, "agent-machine")).toContain(word);
  for (const word of ["0.3 processes want to run", "12.5 GB of memory free", "210 GB of disk free"])
    expect(text(page, "agent-load")).toContain(word);
  expect(text(page, "agent-load")).not.toContain("more than");
  expect(text(page, "agent-tools")).toMatch(/git 2\.39\.5 ?python3\.11$/);
  expect(text(page, "agent-address")).toContain("10.0.0.7");
  expect(text(page, "agent-version")).toContain("0.1.0");
  expect(text(page, "agent-seen")).toMatch(/2 sec/);
  expect(page.text()).toContain("1 of 4 places taken");
});

it("more that wants to run than there are processors is said", async () => {
  const page = await show({ load: { waiting: 9.96, memory_free: 1, disk_free: 1 } });
  expect(text(page, "agent-load")).toContain("10 processes want to run, more than it has processors");
});

it("of one that is away no load is told: what it was says nothing of now", async () => {
  const page = await show({ state: "offline" });
  expect(page.find("[data-testid=agent-load]").exists()).toBe(false);
  expect(page.find("[data-testid=agent-machine]").exists()).toBe(true);
});

it("one that has just connected has not told its load yet, and that is said", async () => {
  expect(text(await show({ load: null }), "agent-load")).toContain("Not told yet");
});

it("one that never connected has no machine, and that is said", async () => {
  const page = await show({ state: "offline", machine: null, load: null, address: null, last_seen_at: null });
  expect(text(page, "agent-machine")).toContain("Not told yet");
});

it("one that takes work has no chip, and no trouble is shown where there is none", async () => {
  const page = await show({});
  for (const name of ["agent-mode", "agent-mode-why", "agent-trouble"])
    expect(page.find(`[data-testid=${name}]`).exists()).toBe(false);
  expect(offered(page)).toEqual(["Pause", "Drain"]);
});

it("a mode is shown with who wanted it, why and when", async () => {
  const page = await show({
    mode: "paused",
    mode_by: "Ada",
    mode_why: "a new disk",
    mode_at: "2026-11-21T11:57:00.000Z",
  });
  expect(text(page, "agent-mode")).toBe("Paused");
  expect(text(page, "agent-mode-why")).toMatch(/^Paused ?by Ada ?3 min.* ago ?“a new disk”$/);
  expect(offered(page)).toEqual(["Resume", "Drain"]);
});

it("one that drains is drained when nothing is left", async () => {
  const draining = { mode: "draining", mode_by: "Ada" } as const;
  expect(text(await show({ ...draining, busy: 2 }), "agent-mode")).toBe("Draining");
  expect(text(await show({ ...draining, busy: 0 }), "agent-mode")).toBe("Drained");
});

it("trouble is shown as it was reported, and never as HTML", async () => {
  const trouble = "<b>speaks protocol 1</b>: upgrade the agent";
  const page = await show({ trouble, trouble_at: "2026-11-21T11:00:00.000Z" });
  expect(text(page, "agent-trouble")).toContain(trouble);
  expect(text(page, "agent-trouble")).toContain("1 hr");
  expect(page.find("[data-testid=agent-trouble] b").exists()).toBe(false);
});

it("all of it is said in Chinese too", async () => {
  const page = await show({ mode: "draining", busy: 0, mode_by: "Ada", trouble: "x" }, "zh-CN");
  const words = page.text().replace(/x86_64|GNU|Linux|Debian/g, "");
  for (const word of ["已排空", "操作者：Ada", "故障", "机器", "负载", "地址", "恢复", "8 个处理器"]) expect(words).toContain(word);
});

it("a pause asks for its reason, and is shown as soon as the server has it", async () => {
  const { page, world, tell } = open([agent(), agent({ id: 2, name: "quay-2" })]);
  await tell(world.agents);
  await page.find("[data-agent='2'] [data-testid=agent-paused]").trigger("click");
  const form = page.find("[data-testid=agent-mode-form]");
  expect(page.find("dialog").text()).toContain("Pause quay-2?");
  expect(form.find("input").attributes("required")).toBeDefined();
  await form.find("input").setValue("  a new disk ");
  await form.trigger("submit");
  await flushPromises();
  expect(world.said).toEqual([[2, "paused", "a new disk"]]);
  expect(page.find("dialog").exists()).toBe(false);
  expect(page.find("[data-agent='2'] [data-testid=agent-mode]").text()).toBe("Paused");
  expect(page.find("[data-agent='1'] [data-testid=agent-mode]").exists()).toBe(false);
  expect(page.find("[role=status]").text()).toBe("quay-2: Paused");
  expect(document.activeElement?.getAttribute("aria-label")).toBe("Resume: quay-2");
});

it("to resume needs no reason", async () => {
  const { page, world, tell } = open([agent({ mode: "paused", mode_by: "Ada" })]);
  await tell(world.agents);
  await page.find("[data-testid=agent-active]").trigger("click");
  const form = page.find("[data-testid=agent-mode-form]");
  expect(form.find("input").attributes("required")).toBeUndefined();
  await form.trigger("submit");
  await flushPromises();
  expect(world.said).toEqual([[1, "active", ""]]);
  expect(page.find("[data-testid=agent-mode]").exists()).toBe(false);
});

it("what the server refuses is said in the dialog, which stays with what was typed", async () => {
  const { page, tell } = open([agent()], { refusal: new Problem({ status: 404, detail: "there is no agent 1" }) });
  await tell([agent()]);
  await page.find("[data-testid=agent-draining]").trigger("click");
  await page.find("dialog input").setValue("it moves");
  await page.find("[data-testid=agent-mode-form]").trigger("submit");
  await flushPromises();
  expect(page.find("dialog [role=alert]").text()).toContain("there is no agent 1");
  expect((page.find("dialog input").element as HTMLInputElement).value).toBe("it moves");
});

it("how busy machines are is asked again, and what cannot be asked leaves the list as it is", async () => {
  const { page, world, tell } = open([agent({ load: { waiting: 7, memory_free: 1, disk_free: 1 } })]);
  await tell([agent()]);
  expect(text(page, "agent-load")).toContain("0.3 processes");
  await vi.advanceTimersByTimeAsync(15_000);
  expect(text(page, "agent-load")).toContain("7 processes");
  world.agents = [];
  await vi.advanceTimersByTimeAsync(15_000);
  expect(page.text()).toContain("No agents yet");

  const away = open([], { refusal: new Problem({ status: 0 }) });
  await away.tell([agent()]);
  await vi.advanceTimersByTimeAsync(15_000);
  expect(away.page.find("[data-testid=agent-row]").exists()).toBe(true);
});

it("an answer that was overtaken by what was told meanwhile is not taken", async () => {
  const { page, world, tell } = open([agent()]);
  await tell([agent()]);
  let answer = (): void => {};
  world.gate = new Promise((resolve) => (answer = resolve));
  await vi.advanceTimersByTimeAsync(15_000);
  await tell([agent({ mode: "paused", mode_by: "Ada" })]);
  answer();
  await flushPromises();
  expect(text(page, "agent-mode")).toBe("Paused");
});
