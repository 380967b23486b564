import { computed, type WritableComputedRef } from "vue";
import { useRoute, useRouter } from "vue-router";

/** A word of the address's query, empty where there is none: what a list shows can be linked to, and survives a reload. */
export function useQueryWord(name: string): WritableComputedRef<string> {
  const route = useRoute();
  const router = useRouter();
  return computed({
    get() {
      const value = route.query[name];
      return typeof value === "string" ? value : "";
    },
    set(word) {
      const query = Object.fromEntries(Object.entries({ ...route.query, [name]: word }).filter(([, value]) => value));
      void router.replace({ query });
    },
  });
}
