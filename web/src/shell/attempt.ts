import { nextTick, ref, type Ref } from "vue";
import { useI18n } from "vue-i18n";
import { Problem } from "../api/problem";
import type { FieldError } from "../api/types";

export interface Attempts {
  busy: Ref<boolean>;
  /** What went wrong, for a notice; empty: nothing did, or all of it is said beside its fields. */
  problem: Ref<string>;
  /** What is wrong with fields, by their names. */
  faults: Ref<Record<string, string>>;
  /** Whether it succeeded. What is no `Problem` is thrown on. */
  attempt(action: () => Promise<unknown>): Promise<boolean>;
}

/** Does what may fail, and keeps what the server said was wrong: as a notice, or beside those of `fields` that it names. */
export function useAttempt(fields: readonly string[] = []): Attempts {
  const { t } = useI18n();
  const busy = ref(false);
  const problem = ref("");
  const faults = ref<Record<string, string>>({});

  async function attempt(action: () => Promise<unknown>): Promise<boolean> {
    busy.value = true;
    problem.value = "";
    faults.value = {};
    try {
      await action();
      return true;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      const sorted = sortFaults(error.fields, fields);
      faults.value = sorted.beside;
      if (error.status === 0) problem.value = t("app.unreachable");
      else problem.value = error.fields.length > 0 ? sorted.others.join("\n") : error.message;
      void nextTick(() => document.querySelector<HTMLElement>('dialog[open] [aria-invalid="true"]')?.focus());
      return false;
    } finally {
      busy.value = false;
    }
  }

  return { busy, problem, faults, attempt };
}

/** Which of the server's words belong beside a field, and which do not. */
export function sortFaults(
  faults: readonly FieldError[],
  fields: readonly string[],
): { beside: Record<string, string>; others: string[] } {
  const beside: Record<string, string> = {};
  const others: string[] = [];
  for (const { place, message } of faults) {
    const said = message.replace(/^Value error, /, "");
    const name = fieldOf(place);
    if (fields.includes(name)) beside[name] = beside[name] ? `${beside[name]}; ${said}` : said;
    else others.push(name ? `${name}: ${said}` : said);
  }
  return { beside, others };
}

/** body.settings.url.headers.Accept -> headers: what is below a kind's settings has the kind's name in its path. */
function fieldOf(place: string): string {
  const parts = place.split(".");
  if (parts[0] === "body") parts.shift();
  if (parts[0] === "settings" && parts.length > 1) parts.splice(0, 2);
  return parts[0] ?? "";
}
