import { defineStore } from "pinia";
import { ref, watch } from "vue";
import { isLocale, preferredLocale, type Locale } from "../locales";

export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

/** What a person chose on this machine; it outlives the page. */
export const usePreferences = defineStore("preferences", () => {
  const kept = read();
  const theme = ref<Theme>(THEMES.find((name) => name === kept["theme"]) ?? "system");
  const locale = ref<Locale>(isLocale(kept["locale"]) ? kept["locale"] : preferredLocale(navigator.languages));
  const timestamps = ref(kept["timestamps"] === true);
  const wrap = ref(kept["wrap"] === true);

  watch(
    theme,
    (name) => {
      if (name === "system") delete document.documentElement.dataset["theme"];
      else document.documentElement.dataset["theme"] = name;
    },
    { immediate: true },
  );
  watch(locale, (name) => (document.documentElement.lang = name), { immediate: true });
  watch([theme, locale, timestamps, wrap], () => {
    write({ theme: theme.value, locale: locale.value, timestamps: timestamps.value, wrap: wrap.value });
  });

  return { theme, locale, timestamps, wrap };
});

const KEY = "tailrace.preferences";

function read(): Record<string, unknown> {
  try {
    return (JSON.parse(localStorage.getItem(KEY) ?? "{}") ?? {}) as Record<string, unknown>;
  } catch {
    return {};
  }
}

function write(values: Record<string, unknown>): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(values));
  } catch {
    // Storage is full or forbidden: the choice holds for this page.
  }
}
