import { describe, expect, it } from "vitest";
import type { RunHit } from "../../src/api/types";
import { HitGroups, linkTo } from "../../src/search/group";
import { addressOf, questionOf, wishOf } from "../../src/search/wish";

function hitOf(run: number, log: number, line: number): RunHit {
  return {
    run: { id: run, number: run, plan_name: "default", project_name: "demo" },
    job: `job ${log}`,
    attempt: 2,
    log,
    line,
    offset: 0,
    text: "",
    ranges: [],
    time: 0,
    stream: "stdout",
    step: 0,
  };
}

describe("HitGroups", () => {
  it("groups by run and log, in the order in which they came", () => {
    const groups = new HitGroups();
    for (const hit of [hitOf(9, 1, 1), hitOf(9, 2, 4), hitOf(9, 1, 3), hitOf(8, 3, 1)]) groups.add(hit);
    expect(groups.runs.map((group) => [group.run.id, group.count, group.logs.map((own) => [own.log, own.hits.length])])).toEqual([
      [9, 3, [[1, 2], [2, 1]]],
      [8, 1, [[3, 1]]],
    ]);
    expect(groups.count).toBe(4);
  });

  it("links to the line, the job by its name", () => {
    expect(linkTo(hitOf(9, 1, 12))).toEqual({ path: "/runs/9", query: { job: "job 1", attempt: "2" }, hash: "#L12" });
  });
});

describe("a wish", () => {
  it("survives the address", () => {
    const wish = { ...wishOf({}), q: "error: .*", regex: true, branch: "main", since: "2026-11-01" };
    expect(wishOf(addressOf(wish))).toEqual(wish);
    expect(addressOf(wishOf({}))).toEqual({});
  });

  it("asks for whole days of the person's clock, and for nothing that was left empty", () => {
    const question = questionOf({ ...wishOf({}), q: "x", since: "2026-11-01", until: "2026-11-02" }, 10);
    expect(question).toEqual({
      q: "x",
      regex: false,
      case: false,
      limit: 10,
      since: new Date(2026, 10, 1).toISOString(),
      until: new Date(2026, 10, 2, 23, 59, 59, 999).toISOString(),
    });
    expect(questionOf({ ...wishOf({}), q: "x", since: "nonsense" }, 10).since).toBeUndefined();
  });
});
