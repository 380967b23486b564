import { inject, onScopeDispose, ref, shallowRef, watch, type Ref, type ShallowRef } from "vue";
import type { Attempt, LogState } from "../api/types";
import { apiKey, liveKey } from "../services";
import { LogFollower } from "../live/follow-log";
import type { TopicError } from "../live/frames";
import { LogModel } from "./log-model";

/** A larger log is shown from near its end, bytes. */
const WHOLE_UNTIL = 128 << 20;
const END_OF_LARGE = 16 << 20;
/** What one page holds at most, UTF-16 units; the rest is in the download. */
const MOST = 256 << 20;

export interface LogView {
  model: ShallowRef<LogModel | null>;
  /** Grows, at most once per drawn frame, when the model changed. */
  version: Ref<number>;
  /** Null while the log may still grow. */
  ended: Ref<LogState | null>;
  full: Ref<boolean>;
  error: Ref<TopicError | null>;
  /** Begin again at byte 0, whatever the size. */
  showWhole(): void;
}

/** Follow the log of an attempt for as long as it is the one that is looked at. */
export function useLog(attempt: Ref<Attempt | null>): LogView {
  const api = inject(apiKey)!;
  const live = inject(liveKey)!;
  const model = shallowRef<LogModel | null>(null);
  const version = ref(0);
  const ended = ref<LogState | null>(null);
  const full = ref(false);
  const error = ref<TopicError | null>(null);
  let follower: LogFollower | null = null;
  let frame = 0;

  function changed(): void {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      version.value += 1;
    });
  }

  function open(log: number | null, from: number): void {
    follower?.stop();
    follower = null;
    ended.value = null;
    full.value = false;
    error.value = null;
    model.value = log === null ? null : new LogModel(from);
    changed();
    const rows = model.value;
    if (log === null || rows === null) return;
    follower = new LogFollower(
      log,
      live.connection,
      api,
      {
        append(chunk) {
          error.value = null;
          rows.append(chunk);
          if (rows.size > MOST) {
            full.value = true;
            follower?.stop();
          }
          changed();
        },
        ended(state) {
          ended.value = state;
          changed();
        },
        failed(problem) {
          error.value = problem;
        },
      },
      { from },
    );
  }

  watch(
    () => attempt.value?.log ?? null,
    (log) => {
      const size = attempt.value?.log_size ?? 0;
      open(log, size > WHOLE_UNTIL ? size - END_OF_LARGE : 0);
    },
    { immediate: true },
  );
  onScopeDispose(() => {
    follower?.stop();
    cancelAnimationFrame(frame);
  });

  return { model, version, ended, full, error, showWhole: () => open(attempt.value?.log ?? null, 0) };
}
