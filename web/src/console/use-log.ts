import { inject, onScopeDispose, ref, shallowRef, watch, type Ref, type ShallowRef } from "vue";
import { Problem } from "../api/problem";
import type { Attempt, LogState } from "../api/types";
import { LogFollower } from "../live/follow-log";
import type { Gap, TopicError } from "../live/frames";
import { apiKey, liveKey } from "../services";
import { LogLoader } from "./log-loader";
import { LogModel, type Place } from "./log-model";

/** Of a larger log only the end comes by itself, bytes; the rest is loaded where somebody looks. */
const WHOLE_UNTIL = 16 << 20;
const END_OF_LARGE = 1 << 20;

export interface LogView {
  model: ShallowRef<LogModel | null>;
  /** Grows, at most once per drawn frame, when the model changed. */
  version: Ref<number>;
  /** Null while the log may still grow. */
  ended: Ref<LogState | null>;
  error: Ref<TopicError | null>;
  /** Why something could not be loaded. */
  trouble: Ref<Problem | null>;
  loading: Ref<boolean>;
  loadGap(gap: Gap, side: "start" | "end"): void;
  /** Load what is around a line; a later wish replaces an earlier one. */
  loadLine(line: number): Promise<void>;
  loadAt(time: string): Promise<void>;
  /** What is far from this place may be let go of. */
  keep(place: Place | null): void;
}

/** Follow the log of an attempt for as long as it is the one that is looked at. */
export function useLog(attempt: Ref<Attempt | null>): LogView {
  const api = inject(apiKey)!;
  const live = inject(liveKey)!;
  const model = shallowRef<LogModel | null>(null);
  const version = ref(0);
  const ended = ref<LogState | null>(null);
  const error = ref<TopicError | null>(null);
  const trouble = shallowRef<Problem | null>(null);
  const loading = ref(false);
  let follower: LogFollower | null = null;
  let loader: LogLoader | null = null;
  let frame = 0;

  /** Something came at the end. */
  function grew(): void {
    frame ||= requestAnimationFrame(changed);
  }

  /** Rows came or went elsewhere: at once, so that nobody takes an old place for a new one. */
  function changed(): void {
    cancelAnimationFrame(frame);
    frame = 0;
    version.value += 1;
  }

  function close(): void {
    follower?.stop();
    loader?.stop();
    follower = loader = null;
  }

  function open(log: number | null, from: number): void {
    close();
    ended.value = error.value = trouble.value = null;
    loading.value = false;
    const rows = (model.value = log === null ? null : new LogModel(from));
    changed();
    if (log === null || rows === null) return;
    const own = (loader = new LogLoader(log, api, rows, changed));
    follower = new LogFollower(
      log,
      live.connection,
      api,
      {
        append(chunk) {
          error.value = null;
          rows.append(chunk);
          grew();
        },
        skipped(_from, to) {
          rows.skip(to);
          changed();
          void own.number();
        },
        ended(state) {
          ended.value = state;
          grew();
        },
        failed(problem) {
          error.value = problem;
        },
      },
      { start: { from } },
    );
    if (from > 0) void own.number();
  }

  async function load(task: (loader: LogLoader) => Promise<unknown>): Promise<void> {
    const own = loader;
    if (!own) return;
    loading.value = true;
    trouble.value = null;
    try {
      await task(own);
    } catch (caught) {
      if (own === loader) trouble.value = Problem.of(caught);
    } finally {
      if (own === loader && !own.busy) loading.value = false;
    }
  }

  watch(
    () => (attempt.value?.log_state === "removed" ? null : (attempt.value?.log ?? null)),
    (log) => {
      const size = attempt.value?.log_size ?? 0;
      open(log, size > WHOLE_UNTIL ? size - END_OF_LARGE : 0);
    },
    { immediate: true },
  );
  onScopeDispose(() => {
    close();
    cancelAnimationFrame(frame);
  });

  return {
    model,
    version,
    ended,
    error,
    trouble,
    loading,
    loadGap(gap, side) {
      if (!loader?.busy) void load((own) => own.loadGap(gap, side));
    },
    loadLine: (line) => load((own) => own.loadLine(line)),
    loadAt: (time) => load((own) => own.loadAt(time)),
    keep(place) {
      if (model.value?.trim(place)) changed();
    },
  };
}
