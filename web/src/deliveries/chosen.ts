import { computed, ref, type ComputedRef, type Ref } from "vue";
import type { Delivery } from "../api/types";

/** How many the server replays at once. */
export const MOST_AT_ONCE = 1000;

/** What can be acted on again: retention has not taken its body. */
export function canReplay(delivery: Delivery): boolean {
  return delivery.removed_at === null;
}

export interface Chosen {
  ids: Ref<Set<number>>;
  /** All that are shown and can be chosen are. */
  all: ComputedRef<boolean>;
  toggle(delivery: Delivery): void;
  toggleAll(): void;
}

/** Which of the deliveries shown are chosen; one that is not shown any more is not. */
export function useChosen(shown: () => readonly Delivery[]): Chosen {
  const marked = ref(new Set<number>());
  const possible = computed(() => shown().filter(canReplay));
  const ids = computed({
    get: () => new Set(possible.value.map(({ id }) => id).filter((id) => marked.value.has(id))),
    set: (ids) => (marked.value = ids),
  });
  const all = computed(() => possible.value.length > 0 && ids.value.size === possible.value.length);

  function toggle({ id }: Delivery): void {
    const next = new Set(ids.value);
    if (!next.delete(id)) next.add(id);
    ids.value = next;
  }
  function toggleAll(): void {
    ids.value = all.value ? new Set() : new Set(possible.value.map(({ id }) => id));
  }
  return { ids, all, toggle, toggleAll };
}
