import { expect, it } from "vitest";
import type { RunSummary } from "../../src/api/types";
import { matchesFilter, matchesText, mergeRuns } from "../../src/runs/merge";

function run(id: number, fields: Partial<RunSummary> = {}): RunSummary {
  return {
    id,
    number: id,
    state: "running",
    reason: null,
    detail: null,
    project: 1,
    project_name: "tailrace",
    plan: 2,
    plan_name: "default",
    plan_version: 1,
    revision: "abcdef0123",
    branch: "main",
    ref: "refs/heads/main",
    title: "Guard the lease",
    author: "Ada",
    trigger: { kind: "manual", by: "admin" },
    agents: ["quay-1"],
    created_at: "2026-11-21T04:16:10.123Z",
    started_at: null,
    finished_at: null,
    ...fields,
  };
}

it("runs that changed replace their older selves, new ones come first", () => {
  const merged = mergeRuns([run(3), run(1)], [run(1, { state: "passed" }), run(4), run(2)]);
  expect(merged.map((item) => [item.id, item.state])).toEqual([
    [4, "running"],
    [3, "running"],
    [2, "running"],
    [1, "passed"],
  ]);
});

it("a live run is held against the same filter that the server was asked for", () => {
  expect(matchesFilter(run(1), {})).toBe(true);
  expect(matchesFilter(run(1), { state: "running", plan: "2", branch: "main", project: "1" })).toBe(true);
  expect(matchesFilter(run(1), { state: "passed" })).toBe(false);
  expect(matchesFilter(run(1), { plan: "3" })).toBe(false);
});

it("all words of the filter must occur somewhere in the row", () => {
  expect(matchesText(run(5), "LEASE main #5")).toBe(true);
  expect(matchesText(run(5), "lease nightly")).toBe(false);
  expect(matchesText(run(5), "abcdef01")).toBe(true);
});
