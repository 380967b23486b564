import { onMounted, onScopeDispose, ref, type Ref } from "vue";
import { useI18n } from "vue-i18n";
import { Problem } from "../api/problem";

export interface Refreshing {
  /** Why the last load failed; empty: it did not. What was shown before may stay. */
  lost: Ref<string>;
  refresh(): Promise<void>;
}

/** Load now, and again every `ms` while the window is seen: for what has no topic of its own; null for what has one. */
export function useRefresh(load: () => Promise<unknown>, ms: number | null = 5000): Refreshing {
  const { t } = useI18n();
  const lost = ref("");
  let timer: ReturnType<typeof setTimeout> | undefined;
  let over = false;

  let last: Promise<void> = Promise.resolve();

  /** One after the other: an answer from before a change never stands over that from after it. */
  function refresh(): Promise<void> {
    return (last = last.catch(() => {}).then(one));
  }
  async function one(): Promise<void> {
    try {
      await load();
      lost.value = "";
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      lost.value = error.status === 0 ? t("app.unreachable") : error.message;
    }
  }
  async function turn(): Promise<void> {
    try {
      if (ms === null || document.visibilityState === "visible") await refresh();
    } finally {
      if (!over && ms !== null) timer = setTimeout(() => void turn(), ms);
    }
  }
  onMounted(() => void turn());
  onScopeDispose(() => {
    over = true;
    clearTimeout(timer);
  });
  return { lost, refresh };
}
