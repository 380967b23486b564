import { expect, it } from "vitest";
import { createLocales, preferredLocale } from "../../src/locales";
import en from "../../src/locales/en";
import zhCN from "../../src/locales/zh-CN";

function flatten(messages: object, path = ""): Map<string, string> {
  const all = new Map<string, string>();
  for (const [key, value] of Object.entries(messages)) {
    if (typeof value === "string") all.set(path + key, value);
    else for (const [name, text] of flatten(value as object, `${path}${key}.`)) all.set(name, text);
  }
  return all;
}

it("both languages have the same messages with the same places to fill", () => {
  const chinese = flatten(zhCN);
  const places = (text: string): string[] => [...new Set(text.match(/\{\w+\}/g))].sort();
  for (const [key, text] of flatten(en)) expect([key, places(chinese.get(key) ?? "")]).toEqual([key, places(text)]);
  expect(chinese.size).toBe(flatten(en).size);
});

it("every message compiles", () => {
  for (const locale of ["en", "zh-CN"] as const) {
    const { t } = createLocales(locale).global;
    for (const key of flatten(en).keys()) expect(t(key, 1)).not.toBe(key);
  }
});

it("the browser's first language that we speak is taken", () => {
  expect(preferredLocale(["de", "zh-TW", "en"])).toBe("zh-CN");
  expect(preferredLocale(["en-GB", "zh"])).toBe("en");
  expect(preferredLocale(["fr"])).toBe("en");
});

it("every message that the page names is there", () => {
  const known = flatten(en);
  const sources = import.meta.glob<string>("../../src/**/*.{vue,ts}", { query: "?raw", import: "default", eager: true });
  const missing: string[] = [];
  for (const [file, text] of Object.entries(sources)) {
    for (const [, key] of text.matchAll(/\bt\(\s*["']([\w.]+)["']/g)) {
      if (!known.has(key!)) missing.push(`${file}: ${key}`);
    }
  }
  expect(missing).toEqual([]);
});
