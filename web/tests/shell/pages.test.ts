// @vitest-environment happy-dom
import { enableAutoUnmount, flushPromises } from "@vue/test-utils";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { defineComponent, h, watch } from "vue";
import { Problem } from "../../src/api/problem";
import type { Cursor, Page } from "../../src/api/types";
import { usePages, type Pages } from "../../src/shell/pages";
import { useQueryWord } from "../../src/shell/query";
import { open } from "../support/page";

enableAutoUnmount(afterEach);
beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Numbers from the largest down, two on a page. */
async function list(load?: (state: string) => void | Promise<void>) {
  const world = { newest: 5, asked: [] as string[], seen: [] as unknown[] };
  let pages!: Pages<number>;
  const host = defineComponent(() => {
    pages = usePages({ state: useQueryWord("state") }, async ({ state }, cursor: Cursor | null): Promise<Page<number>> => {
      world.asked.push(`${state}:${cursor}`);
      await load?.(state);
      const from = cursor !== null ? Number(cursor) - 1 : state ? 105 : world.newest;
      return { items: [from, from - 1], next: from > 2 ? from - 1 : null };
    });
    watch(pages.shown, (items) => world.seen.push(items), { flush: "sync" });
    return () => h("div", String(pages.shown.value));
  });
  const opened = await open(host, {});
  return { ...opened, world, pages };
}

it("older pages are asked for one after the other, and all that were are kept fresh", async () => {
  const { pages, world } = await list();
  expect(pages.shown.value).toEqual([5, 4]);
  expect(pages.more.value).toBe(true);
  await pages.showMore();
  expect(pages.shown.value).toEqual([5, 4, 3, 2]);
  world.newest = 6;
  await vi.advanceTimersByTimeAsync(5000);
  expect(pages.shown.value).toEqual([6, 5, 4, 3]);
});

it("another word of the address begins anew, and an answer for the earlier one is not taken", async () => {
  let answer = (): void => {};
  const slow = new Promise<void>((resolve) => (answer = resolve));
  const { pages, world, router } = await list((state) => (state === "" ? slow : undefined));
  await router.replace("/?state=failed");
  answer();
  await flushPromises();
  expect(world.asked).toEqual([":null", "failed:null"]);
  expect(world.seen).toEqual([[105, 104]]);
  expect(pages.filtered.value).toBe(true);
});

it("what cannot be loaded is said, and what was shown stays", async () => {
  let away = false;
  const { pages } = await list(() => {
    if (away) throw new Problem({ status: 503, detail: "the disk is full" });
  });
  away = true;
  await pages.showMore();
  expect(pages.problem.value).toBe("the disk is full");
  expect(pages.shown.value).toEqual([5, 4]);
});
