import { nextTick, ref, shallowRef, type Ref, type ShallowRef } from "vue";
import { useI18n } from "vue-i18n";
import { Problem } from "../api/problem";
import type { DefinitionError, FieldError } from "../api/types";

export interface Attempts {
  busy: Ref<boolean>;
  /** What went wrong, for a notice; empty: nothing did, or all of it is said beside its fields. */
  problem: Ref<string>;
  /** What is wrong with fields, by their names. */
  faults: Ref<Record<string, string>>;
  /** What is wrong with the lines of a definition. */
  errors: ShallowRef<readonly DefinitionError[]>;
  /** Whether it succeeded. What is no `Problem` is thrown on. */
  attempt(action: () => Promise<unknown>): Promise<boolean>;
}

/**
 * Does what may fail, and keeps what the server said was wrong: as a notice, or beside those of `fields` that it names,
 * which may be a part of one (`parameters.LEVEL`).
 */
export function useAttempt(fields: readonly string[] | (() => readonly string[]) = []): Attempts {
  const { t } = useI18n();
  const busy = ref(false);
  const problem = ref("");
  const faults = ref<Record<string, string>>({});
  const errors = shallowRef<readonly DefinitionError[]>([]);

  async function attempt(action: () => Promise<unknown>): Promise<boolean> {
    busy.value = true;
    problem.value = "";
    faults.value = {};
    errors.value = [];
    try {
      await action();
      return true;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      const sorted = sortFaults(error.fields, typeof fields === "function" ? fields() : fields);
      faults.value = sorted.beside;
      errors.value = error.errors;
      if (error.status === 0) problem.value = t("app.unreachable");
      else if (error.errors.length > 0) problem.value = "";
      else problem.value = error.fields.length > 0 ? sorted.others.join("\n") : error.message;
      if (Object.keys(sorted.beside).length > 0) void nextTick(goToFault);
      return false;
    } finally {
      busy.value = false;
    }
  }

  return { busy, problem, faults, errors, attempt };
}

/** The first field that is wrong gets the focus: where a dialog is open, of that one. */
function goToFault(): void {
  const form = document.querySelector("dialog[open]") ?? document;
  form.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
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
    const path = pathOf(place);
    const name = fields.includes(path) ? path : (path.split(".")[0] ?? "");
    if (fields.includes(name)) beside[name] = beside[name] ? `${beside[name]}; ${said}` : said;
    else others.push(name ? `${name}: ${said}` : said);
  }
  return { beside, others };
}

/** body.settings.url.headers.Accept -> headers.Accept: what is below a kind's settings has the kind's name in its path. */
function pathOf(place: string): string {
  const parts = place.split(".");
  if (parts[0] === "body") parts.shift();
  // What is only tried is a part of the request, and is the whole of it when it is kept.
  if (parts[0] === "hook") parts.shift();
  if (parts[0] === "settings" && parts.length > 1) parts.splice(0, 2);
  return parts.join(".");
}
