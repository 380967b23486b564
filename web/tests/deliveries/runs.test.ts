import { expect, it } from "vitest";
import { runsOf } from "../../src/deliveries/runs";

it("runs are called by their project and their number in it, and linked by id", () => {
  expect(runsOf({ project_name: "harbour", runs: [71, 90], run_numbers: [4, 5] })).toEqual([
    { id: 71, name: "harbour #4" },
    { id: 90, name: "harbour #5" },
  ]);
  expect(runsOf({ project_name: "harbour", runs: [], run_numbers: [] })).toEqual([]);
});
