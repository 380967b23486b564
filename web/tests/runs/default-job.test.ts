import { expect, it } from "vitest";
import type { Job } from "../../src/api/types";
import { defaultJob } from "../../src/runs/default-job";

function job(id: number, state: Job["state"], attempts = 1): Job {
  return { id, state, attempts: Array.from({ length: attempts }, () => ({})) } as Job;
}

it("shows what runs, else what failed, else the first", () => {
  expect(defaultJob([job(1, "passed"), job(2, "running")], null)?.id).toBe(2);
  expect(defaultJob([job(1, "passed"), job(2, "failed"), job(3, "skipped", 0)], null)?.id).toBe(2);
  expect(defaultJob([job(1, "passed"), job(2, "passed")], null)?.id).toBe(1);
  expect(defaultJob([], null)).toBeNull();
});

it("stays with a job that has output when another begins", () => {
  expect(defaultJob([job(1, "passed"), job(2, "running")], 1)?.id).toBe(1);
  expect(defaultJob([job(1, "waiting", 0), job(2, "running")], 1)?.id).toBe(2);
});
