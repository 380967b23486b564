// @vitest-environment happy-dom
import { mount } from "@vue/test-utils";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { defineComponent, nextTick, ref } from "vue";
import type { Api, LogQuery } from "../../src/api/client";
import { Problem } from "../../src/api/problem";
import type { Hit, SearchItem } from "../../src/api/types";
import { useSearch, type LogSearch } from "../../src/console/use-search";
import { apiKey } from "../../src/services";

function hitOf(line: number): Hit {
  return { line, offset: line * 100, text: `line ${line}`, ranges: [[0, 4]], time: 0, stream: "stdout", step: 0 };
}

let asked: LogQuery[];
let signals: AbortSignal[];
let answers: ((query: LogQuery) => (SearchItem | Error)[])[];
let search: LogSearch;
const log = ref<number | null>(1);
const size = ref(0);
let page: ReturnType<typeof mount>;

beforeEach(() => {
  vi.useFakeTimers();
  [asked, signals, answers] = [[], [], []];
  log.value = 1;
  size.value = 1000;
  const api = {
    async *searchLog(_log: number, query: LogQuery, signal: AbortSignal) {
      asked.push(query);
      signals.push(signal);
      for (const item of answers.shift()?.(query) ?? []) {
        if (item instanceof Error) throw item;
        yield item;
      }
    },
  };
  const host = defineComponent({
    setup() {
      search = useSearch(log, size);
      return () => null;
    },
  });
  page = mount(host, { global: { provide: { [apiKey as symbol]: api as unknown as Api } } });
});

afterEach(() => {
  page.unmount();
  vi.useRealTimers();
});

const end = (hits: number, searched: number, limited = false): SearchItem => ({ end: { hits, searched, limited } });

async function type(text: string): Promise<void> {
  search.open.value = true;
  await nextTick();
  search.wanted.q = text;
  await vi.advanceTimersByTimeAsync(400);
}

it("takes only hits for hits: a server that finds nothing for a while says how far it is", async () => {
  answers = [() => [{ progress: { logs: 0, searched: 5 } }, hitOf(3), { log: 1, unreadable: "why" }, end(1, 1000)]];
  await type("line");
  await vi.advanceTimersByTimeAsync(100);
  expect(search.hits.value.map((hit) => hit.line)).toEqual([3]);
});

it("searches once for what was typed in one go, and shows what was found in order", async () => {
  answers = [() => [hitOf(3), hitOf(7), end(2, 1000)]];
  search.open.value = true;
  await nextTick();
  for (const text of ["e", "er", "err"]) {
    search.wanted.q = text;
    await vi.advanceTimersByTimeAsync(50);
  }
  await vi.advanceTimersByTimeAsync(400);
  expect(asked.map((query) => query.q)).toEqual(["err"]);
  expect(search.hits.value.map((hit) => hit.line)).toEqual([3, 7]);
  expect(search.busy.value).toBe(false);
});

it("goes to the hit nearest to what is seen, then on and around", async () => {
  answers = [() => [hitOf(3), hitOf(7), hitOf(9), end(3, 1000)]];
  await type("x");
  expect(search.step(1, 5)!.line).toBe(7);
  expect([1, 1, -1, -1].map((by) => search.step(by as 1 | -1, 5)!.line)).toEqual([9, 3, 9, 7]);
  search.current.value = -1;
  expect(search.step(-1, 5)!.line).toBe(3);
  search.current.value = -1;
  expect(search.step(1, 100)!.line).toBe(3);
});

it("searches what a log grew by, again from a little before, and doubles no line", async () => {
  answers = [() => [hitOf(3), end(1, 1000)], () => [hitOf(3), hitOf(12), end(2, 1500)]];
  await type("x");
  expect(search.step(1, 1)!.line).toBe(3);
  await vi.advanceTimersByTimeAsync(5000);
  expect(asked).toHaveLength(1);
  size.value = 1500;
  await vi.advanceTimersByTimeAsync(2500);
  expect(asked[1]).toMatchObject({ from: 0 });
  expect(search.hits.value.map((hit) => hit.line)).toEqual([3, 12]);
  expect(search.current.value).toBe(0);
  await vi.advanceTimersByTimeAsync(5000);
  expect(asked).toHaveLength(2);
});

it("asks for more after the last hit when there were more than the limit", async () => {
  answers = [() => [hitOf(3), end(1, 400, true)], () => [hitOf(3), hitOf(4), end(2, 600)]];
  await type("x");
  size.value = 9999;
  await vi.advanceTimersByTimeAsync(3000);
  expect(asked).toHaveLength(1);
  search.more();
  await vi.advanceTimersByTimeAsync(100);
  expect(asked[1]).toMatchObject({ from: 301 });
  expect(search.hits.value.map((hit) => hit.line)).toEqual([3, 4]);
});

it("says what is wrong with the search, and when it broke off", async () => {
  answers = [() => [new Problem({ status: 400, detail: "q: no closing )" })], () => [hitOf(1), { error: { detail: "the archive is away" } }]];
  await type("(");
  expect(search.problem.value?.message).toBe("q: no closing )");
  await type("x");
  expect(search.problem.value?.message).toBe("the archive is away");
  expect(search.hits.value).toHaveLength(1);
});

it("ends a search that nobody wants any more", async () => {
  await type("x");
  await type("xy");
  expect(signals.map((signal) => signal.aborted)).toEqual([true, false]);
  search.open.value = false;
  await vi.advanceTimersByTimeAsync(1);
  expect(signals[1]!.aborted).toBe(true);
  answers = [() => [hitOf(1), end(1, 10)]];
  search.open.value = true;
  await vi.advanceTimersByTimeAsync(100);
  expect(search.hits.value).toHaveLength(1);
  log.value = 2;
  await vi.advanceTimersByTimeAsync(1);
  expect(search.hits.value).toHaveLength(0);
});
