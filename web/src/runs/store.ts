import { defineStore } from "pinia";
import { inject, ref, shallowRef } from "vue";
import type { RunFilter } from "../api/client";
import { Problem } from "../api/problem";
import type { Cursor, RunSummary } from "../api/types";
import { apiKey } from "../services";
import { isOver, matchesFilter, mergeRuns } from "./merge";

const PAGE = 50;

/** The list of runs as it is filtered now; it stays while a run is looked at. */
export const useRuns = defineStore("runs", () => {
  const api = inject(apiKey)!;
  const runs = shallowRef<RunSummary[]>([]);
  const next = ref<Cursor | null>(null);
  const loaded = ref(false);
  const loading = ref(false);
  const problem = ref<Problem | null>(null);
  let filter: RunFilter = {};
  let turn = 0;

  /** Show the newest runs that match. What came live meanwhile is kept. */
  async function show(wanted: RunFilter): Promise<void> {
    if (JSON.stringify(wanted) !== JSON.stringify(filter)) {
      filter = wanted;
      runs.value = [];
      loaded.value = false;
    }
    await load();
  }

  async function more(): Promise<void> {
    if (next.value && !loading.value) await load(next.value);
  }

  async function load(cursor?: Cursor): Promise<void> {
    const mine = ++turn;
    loading.value = true;
    try {
      const page = await api.runs({ ...filter, limit: PAGE, ...(cursor ? { cursor } : {}) });
      if (mine !== turn) return;
      // A live frame may have overtaken this answer.
      const held = new Map(runs.value.map((run) => [run.id, run]));
      runs.value = mergeRuns(runs.value, cursor ? page.items : page.items.filter((run) => !ahead(held.get(run.id), run)));
      next.value = page.next;
      problem.value = null;
      loaded.value = true;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (mine === turn) problem.value = error;
    } finally {
      if (mine === turn) loading.value = false;
    }
  }

  /** Runs that changed, from the live connection. */
  function receive(items: RunSummary[]): void {
    // After a reconnect the newest come; if none of ours is among them, runs between may be missing.
    const oldest = items.at(-1);
    const newest = runs.value[0];
    if (loaded.value && items.length >= PAGE && oldest && newest && oldest.id > newest.id + 1) {
      runs.value = [];
      void load();
    }
    const matching = items.filter((run) => matchesFilter(run, filter));
    const gone = new Set(items.filter((run) => !matchesFilter(run, filter)).map((run) => run.id));
    runs.value = mergeRuns(
      runs.value.filter((run) => !gone.has(run.id)),
      matching,
    );
    if (items.length >= PAGE && oldest) void refreshOlder(oldest.id);
  }

  /** Runs below what a snapshot tells, that were not over when we last heard of them. */
  async function refreshOlder(than: number): Promise<void> {
    const stale = runs.value.filter((run) => run.id < than && !isOver(run));
    const fresh = await Promise.all(stale.map((run) => api.run(run.id).catch(() => null)));
    const found = fresh.filter((run) => run !== null);
    if (found.length > 0) runs.value = mergeRuns(runs.value, found);
  }

  return { runs, next, loaded, loading, problem, show, more, receive };
});

const PROGRESS: Record<string, number> = { planning: 0, pending: 1, running: 2 };

function ahead(held: RunSummary | undefined, told: RunSummary): boolean {
  return held !== undefined && (PROGRESS[held.state] ?? 3) > (PROGRESS[told.state] ?? 3);
}
