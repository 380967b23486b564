import { defineStore } from "pinia";
import { ref } from "vue";

/** How much waits for a person, as the server tells it; the header listens, once for all who want to know. */
export const useOpenApprovals = defineStore("approvals", () => {
  /** Null until it was told. */
  const count = ref<number | null>(null);
  /** Grows whenever something was asked, decided or withdrawn. */
  const changes = ref(0);

  function told(open: number): void {
    count.value = open;
    changes.value += 1;
  }
  function forget(): void {
    count.value = null;
  }
  return { count, changes, told, forget };
});
