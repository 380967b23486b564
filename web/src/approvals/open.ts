import { defineStore } from "pinia";
import { computed, ref } from "vue";
import { useSession } from "../session/store";

/** How much waits for a person, as the server tells it; the header listens, once for all who want to know. */
export const useOpenApprovals = defineStore("approvals", () => {
  const session = useSession();
  const last = ref<{ of: string; open: number } | null>(null);
  /** Null until whoever is signed in was told. */
  const count = computed(() => (last.value?.of === session.user?.name ? (last.value?.open ?? null) : null));
  /** Grows whenever something was asked, decided or withdrawn. */
  const changes = ref(0);

  function told(open: number): void {
    last.value = { of: session.user?.name ?? "", open };
    changes.value += 1;
  }
  return { count, changes, told };
});
