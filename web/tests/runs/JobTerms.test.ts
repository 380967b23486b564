// @vitest-environment happy-dom
import { enableAutoUnmount } from "@vue/test-utils";
import { afterEach, expect, it } from "vitest";
import type { Job } from "../../src/api/types";
import type { Locale } from "../../src/locales";
import JobTerms from "../../src/runs/JobTerms.vue";
import { open } from "../support/page";

enableAutoUnmount(afterEach);

async function said(job: Partial<Job>, locale: Locale = "en"): Promise<string[]> {
  const { page } = await open(JobTerms, {}, { props: { job }, locale });
  return page.findAll("p").map((line) => line.text().replace(/\s+/g, " "));
}

it("a job's group is named, and how many of its matrix are under way at once", async () => {
  expect(await said({ concurrency: "deploy-main" })).toEqual(["Concurrency group: deploy-main"]);
  expect(await said({ matrix: "test", max_parallel: 2, fail_fast: true })).toEqual([
    "Matrix test: at most 2 at once; one that fails ends the others",
  ]);
  expect(await said({ matrix: "test", fail_fast: true }, "zh-CN")).toEqual(["矩阵 test：一个失败即结束其余任务"]);
});

it("nothing is said of a job that has no such terms, or of which an older server tells none", async () => {
  expect(await said({ matrix: "test", max_parallel: null, fail_fast: false, concurrency: null })).toEqual([]);
  expect(await said({})).toEqual([]);
});
