import { computed, ref, watch, type ComputedRef, type Ref } from "vue";
import type { Cursor, Page } from "../api/types";
import { useAttempt } from "./attempt";
import { useRefresh, type Refreshing } from "./refresh";

export interface Pages<T> extends Refreshing {
  /** Null until the first page is here. */
  shown: Ref<T[] | null>;
  /** Whether there are older ones. */
  more: ComputedRef<boolean>;
  showMore(): Promise<void>;
  /** Only some are asked for. */
  filtered: ComputedRef<boolean>;
  busy: Ref<boolean>;
  /** What went wrong with what was tried, or with the last look. */
  problem: ComputedRef<string>;
  attempt(action: () => Promise<unknown>): Promise<boolean>;
}

/** What the words say now. */
export type Words<W> = { [K in keyof W]: string };

/**
 * A list that is read in pages, newest first: each page that was asked for is kept fresh, and all begins anew when one of
 * `words` (what is asked for) changes. An answer to what is not asked for any more is not taken.
 */
export function usePages<T, W extends Record<string, Ref<string>>>(
  words: W,
  load: (filter: Words<W>, cursor: Cursor | null) => Promise<Page<T>>,
  ms?: number | null,
): Pages<T> {
  const { busy, problem, attempt } = useAttempt();
  const shown = ref<T[] | null>(null) as Ref<T[] | null>;
  const next = ref<Cursor | null>(null);
  const pages = ref(1);
  const said = (): Words<W> =>
    Object.fromEntries(Object.entries(words).map(([name, word]) => [name, word.value])) as Words<W>;
  const { lost, refresh } = useRefresh(look, ms);

  watch(Object.values(words), () => {
    shown.value = null;
    next.value = null;
    pages.value = 1;
    void refresh();
  });

  async function look(): Promise<void> {
    const wanted = said();
    const found: T[] = [];
    let cursor: Cursor | null = null;
    for (let at = 0; at < pages.value; at++) {
      const page: Page<T> = await load(wanted, cursor);
      found.push(...page.items);
      cursor = page.next;
      if (cursor === null) break;
    }
    const now = said();
    if (Object.keys(words).some((name) => wanted[name] !== now[name])) return;
    shown.value = found;
    next.value = cursor;
  }

  async function showMore(): Promise<void> {
    pages.value += 1;
    busy.value = true;
    await refresh();
    busy.value = false;
  }

  return {
    shown,
    more: computed(() => next.value !== null),
    showMore,
    filtered: computed(() => Object.values(said()).some(Boolean)),
    busy,
    problem: computed(() => problem.value || lost.value),
    attempt,
    lost,
    refresh,
  };
}
