import { createPinia, setActivePinia } from "pinia";
import { createApp } from "vue";
import { beforeEach, expect, it } from "vitest";
import type { RunFilter } from "../../src/api/client";
import type { RunState, RunSummary } from "../../src/api/types";
import { useRuns } from "../../src/runs/store";
import { apiKey } from "../../src/services";

let server: RunSummary[];
let asked: RunFilter[];
let list: ReturnType<typeof useRuns>;

function run(id: number, state: RunState = "passed"): RunSummary {
  return { id, number: id, state, plan: 1, project: 1, finished_at: null, agents: [], trigger: { kind: "manual" } } as unknown as RunSummary;
}

function held(): [number, RunState][] {
  return list.runs.map((item) => [item.id, item.state]);
}

beforeEach(() => {
  server = Array.from({ length: 120 }, (_, i) => run(120 - i));
  asked = [];
  const api = {
    async runs(filter: RunFilter) {
      asked.push(filter);
      const matching = server.filter((item) => item.id < Number(filter.cursor ?? 1e9) && (!filter.state || item.state === filter.state));
      return { items: matching.slice(0, 50), next: matching.length > 50 ? String(matching[49]!.id) : null };
    },
    run: async (id: number) => server.find((item) => item.id === id),
  };
  const app = createApp({});
  const pinia = createPinia();
  app.use(pinia);
  app.provide(apiKey, api as never);
  setActivePinia(pinia);
  list = useRuns();
});

it("pages through older runs, each once", async () => {
  await list.show({});
  await list.more();
  await list.more();
  expect(list.runs.map((item) => item.id)).toEqual(server.map((item) => item.id));
  expect(list.next).toBeNull();
});

it("takes in runs that changed and new ones, and drops those that no longer match", async () => {
  await list.show({ state: "passed" });
  list.receive([run(121, "passed"), run(120, "failed"), run(122, "running")]);
  expect(held()[0]).toEqual([121, "passed"]);
  expect(held().some(([id]) => id === 120 || id === 122)).toBe(false);
});

it("an answer that a live frame overtook does not set a run back", async () => {
  server[0] = run(120, "running");
  const showing = list.show({});
  list.receive([run(120, "passed")]);
  await showing;
  expect(held()[0]).toEqual([120, "passed"]);
});

it("after an absence longer than one page it leaves no hole", async () => {
  await list.show({});
  server = [...Array.from({ length: 80 }, (_, i) => run(200 - i)), ...server];
  list.receive(server.slice(0, 50));
  await expect.poll(() => list.loading).toBe(false);
  await list.more();
  expect(list.runs.map((item) => item.id)).toEqual(server.slice(0, 100).map((item) => item.id));
});

it("runs older than what a reconnect tells are looked up when they were not over", async () => {
  server[60] = run(60, "running");
  await list.show({});
  await list.more();
  server[60] = run(60, "failed");
  list.receive(server.slice(0, 50));
  await expect.poll(() => held().find(([id]) => id === 60)?.[1]).toBe("failed");
});
