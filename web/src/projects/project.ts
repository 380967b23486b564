import { computed, inject, reactive, ref, watch } from "vue";
import { useRoute } from "vue-router";
import { Problem } from "../api/problem";
import type { Project } from "../api/types";
import { apiKey } from "../services";
import { useAttempt } from "../shell/attempt";

export interface Shown {
  readonly id: number;
  /** Null until it is here. */
  project: Project | null;
  missing: boolean;
  /** Why it could not be loaded. */
  problem: string;
}

/** The project of the page's address. */
export function useProject(): Shown {
  const api = inject(apiKey)!;
  const route = useRoute();
  const id = computed(() => Number(route.params["project"]));
  const project = ref<Project | null>(null);
  const missing = ref(false);
  const { problem, attempt } = useAttempt();

  watch(
    id,
    (wanted) => {
      project.value = null;
      missing.value = false;
      if (!Number.isNaN(wanted)) void attempt(() => load(wanted));
    },
    { immediate: true },
  );

  async function load(wanted: number): Promise<void> {
    try {
      const found = await api.project(wanted);
      if (wanted === id.value) project.value = found;
    } catch (error) {
      if (!(error instanceof Problem && error.status === 404)) throw error;
      missing.value = true;
    }
  }

  return reactive({ id, project, missing, problem });
}
