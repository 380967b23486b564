import { expect, it } from "vitest";
import type { Job, Step } from "../../src/api/types";
import { isClearing } from "../../src/runs/clearing";

function job(...attempts: Step["state"][][]): Job {
  return { attempts: attempts.map((states) => ({ steps: states.map((state) => ({ state })) })) } as Job;
}

it("a job clears up while a step runs after one that was aborted", () => {
  expect(isClearing([job(["aborted", "skipped", "running"])])).toBe(true);
  expect(isClearing([job(["passed"]), job(["passed", "failed"], ["aborted", "running"])])).toBe(true);
  for (const states of [["running"], ["aborted", "passed"], ["passed", "running"], ["failed", "running"]] as const) {
    expect(isClearing([job([...states])])).toBe(false);
  }
  expect(isClearing([job(["aborted", "running"], ["running"]), job()])).toBe(false);
});
