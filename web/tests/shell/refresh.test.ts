// @vitest-environment happy-dom
import { mount } from "@vue/test-utils";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { defineComponent, h } from "vue";
import { Problem } from "../../src/api/problem";
import { createLocales } from "../../src/locales";
import { useRefresh } from "../../src/shell/refresh";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function show(load: () => Promise<unknown>) {
  const view = defineComponent(() => {
    const { lost } = useRefresh(load, 1000);
    return () => h("p", lost.value);
  });
  return mount(view, { global: { plugins: [createLocales("en")] } });
}

it("loads again and again, says why it cannot, and stops when it is left", async () => {
  let loads = 0;
  const page = show(async () => {
    loads += 1;
    if (loads === 2) throw new Problem({ status: 503, detail: "no room" });
  });
  await vi.advanceTimersByTimeAsync(10);
  expect([loads, page.text()]).toEqual([1, ""]);
  await vi.advanceTimersByTimeAsync(1000);
  expect([loads, page.text()]).toEqual([2, "no room"]);
  await vi.advanceTimersByTimeAsync(1000);
  expect([loads, page.text()]).toEqual([3, ""]);
  page.unmount();
  await vi.advanceTimersByTimeAsync(5000);
  expect(loads).toBe(3);
});

it("what is asked for after a change is taken last, however long the answer from before it takes", async () => {
  const answers: string[] = [];
  let slow = true;
  const view = defineComponent(() => {
    const { refresh } = useRefresh(async () => {
      const [said, ms] = slow ? ["before", 400] : ["after", 10];
      await new Promise((answer) => setTimeout(answer, ms as number));
      answers.push(said as string);
    }, 60_000);
    return () => h("button", { onClick: refresh });
  });
  const page = mount(view, { global: { plugins: [createLocales("en")] } });
  await vi.advanceTimersByTimeAsync(100);
  slow = false;
  await page.find("button").trigger("click");
  await vi.advanceTimersByTimeAsync(2000);
  expect(answers).toEqual(["before", "after"]);
});

it("asks for nothing while nobody sees it", async () => {
  let loads = 0;
  const seen = vi.spyOn(document, "visibilityState", "get").mockReturnValue("hidden");
  show(async () => void (loads += 1));
  await vi.advanceTimersByTimeAsync(3000);
  expect(loads).toBe(0);
  seen.mockReturnValue("visible");
  await vi.advanceTimersByTimeAsync(1000);
  expect(loads).toBe(1);
  seen.mockRestore();
});

it("an answer that comes when the page was left begins nothing anew", async () => {
  let loads = 0;
  const page = show(async () => {
    loads += 1;
    await new Promise((answer) => setTimeout(answer, 500));
  });
  await vi.advanceTimersByTimeAsync(100);
  page.unmount();
  await vi.advanceTimersByTimeAsync(5000);
  expect(loads).toBe(1);
});
