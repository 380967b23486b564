import { computed, inject, onScopeDispose, reactive, ref, shallowRef, watch, type Ref } from "vue";
import { Problem } from "../api/problem";
import type { Hit, SearchEnd } from "../api/types";
import { apiKey } from "../services";
import type { Wanted } from "./highlight";

/** How many hits one request asks for. */
export const HITS = 1000;
/** Time to go on typing, ms. */
const PAUSE = 250;
/** How often a log that grows is searched on, ms. */
const AGAIN = 2000;
/** A line may have been cut by the end of what was searched; so much is searched again, bytes. */
const OVERLAP = 64 * 1024;

export type LogSearch = ReturnType<typeof useSearch>;

/** The search in the log that is looked at. `size`: how many of its bytes are known, so that growth is searched too. */
export function useSearch(log: Ref<number | null>, size: Ref<number>) {
  const api = inject(apiKey)!;
  const open = ref(false);
  const wanted = reactive<Wanted>({ q: "", regex: false, case: false });
  const hits = shallowRef<readonly Hit[]>([]);
  const busy = ref(false);
  const end = shallowRef<SearchEnd | null>(null);
  const problem = shallowRef<Problem | null>(null);
  /** Index of the hit that was gone to; -1 before. */
  const current = ref(-1);
  let running: AbortController | null = null;
  let pause: ReturnType<typeof setTimeout> | undefined;
  let searched = 0;
  const byLine = computed(() => new Map(hits.value.map((hit) => [hit.line, hit])));

  async function run(from: number, more: boolean): Promise<void> {
    running?.abort();
    if (log.value === null || wanted.q === "") return void (busy.value = false);
    const mine = (running = new AbortController());
    busy.value = true;
    problem.value = null;
    const lines = new Set(more ? hits.value.map((hit) => hit.line) : []);
    let news: Hit[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    const show = (): void => {
      timer = undefined;
      if (mine !== running || news.length === 0) return;
      const chosen = hits.value[current.value];
      hits.value = [...hits.value, ...news].sort((a, b) => a.line - b.line);
      if (chosen) current.value = hits.value.indexOf(chosen);
      news = [];
    };
    try {
      for await (const item of api.searchLog(log.value, { ...wanted, from, limit: HITS }, mine.signal)) {
        if ("error" in item) throw new Problem({ status: 500, ...item.error });
        if ("end" in item) {
          end.value = item.end;
          searched = from + item.end.searched;
        } else if ("line" in item && !lines.has(item.line)) {
          lines.add(item.line);
          news.push(item);
          timer ??= setTimeout(show, 60);
        }
      }
    } catch (error) {
      if (mine.signal.aborted) return;
      problem.value = Problem.of(error);
    } finally {
      clearTimeout(timer);
      show();
      if (mine === running) busy.value = false;
    }
  }

  function restart(): void {
    clearTimeout(pause);
    running?.abort();
    hits.value = [];
    end.value = null;
    current.value = -1;
    problem.value = null;
    searched = 0;
    if (open.value) void run(0, false);
  }

  /** Look for the hits after the last one that came. */
  function more(): void {
    const last = hits.value.at(-1);
    if (last) void run(last.offset + 1, true);
  }

  function stop(): void {
    running?.abort();
    busy.value = false;
  }

  /** The hit after the one at hand, or before it; the first time, the one nearest to a line. */
  function step(by: 1 | -1, line: number): Hit | null {
    const count = hits.value.length;
    if (count === 0) return null;
    if (current.value < 0) {
      const after = hits.value.findIndex((hit) => hit.line >= line);
      current.value = by > 0 ? Math.max(0, after) : (after < 0 ? count : after) - 1;
      if (current.value < 0) current.value = count - 1;
    } else current.value = (current.value + by + count) % count;
    return hits.value[current.value]!;
  }

  watch(
    () => ({ ...wanted }),
    () => {
      clearTimeout(pause);
      pause = setTimeout(restart, PAUSE);
    },
  );
  watch(log, restart);
  watch(open, (now) => {
    if (now && end.value === null && wanted.q) restart();
    if (!now) stop();
  });
  const clock = setInterval(() => {
    if (!open.value || busy.value || !end.value || end.value.limited || problem.value || size.value <= searched) return;
    void run(Math.max(0, searched - OVERLAP), true);
  }, AGAIN);
  onScopeDispose(() => {
    clearInterval(clock);
    clearTimeout(pause);
    running?.abort();
  });

  return { open, wanted, hits, byLine, busy, end, problem, current, restart, more, stop, step };
}
