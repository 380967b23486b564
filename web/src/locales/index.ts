import { createI18n } from "vue-i18n";
import en, { type Messages } from "./en";
import zhCN from "./zh-CN";

export const LOCALES = { en: "English", "zh-CN": "简体中文" } as const;
export type Locale = keyof typeof LOCALES;

export function isLocale(value: unknown): value is Locale {
  return typeof value === "string" && value in LOCALES;
}

/** The first of the browser's languages that we speak, else English. */
export function preferredLocale(languages: readonly string[]): Locale {
  for (const language of languages) {
    const name = language.toLowerCase();
    if (name === "zh" || name.startsWith("zh-")) return "zh-CN";
    if (name === "en" || name.startsWith("en-")) return "en";
  }
  return "en";
}

export function createLocales(locale: Locale) {
  return createI18n<[Messages], Locale, false>({
    legacy: false,
    locale,
    fallbackLocale: "en",
    messages: { en, "zh-CN": zhCN },
    // A reason of a later server has no translation yet; its name is shown instead.
    missingWarn: false,
    fallbackWarn: false,
  });
}
