// @vitest-environment happy-dom
import { enableAutoUnmount, flushPromises } from "@vue/test-utils";
import { afterEach, expect, it, vi } from "vitest";
import CopyField from "../../src/shell/CopyField.vue";
import { open } from "../support/page";

enableAutoUnmount(afterEach);
afterEach(() => void vi.unstubAllGlobals());

const show = async () => (await open(CopyField, {}, { props: { text: "secret", label: "Address", of: "shop" } })).page;

it("the text is copied, and that it was is said", async () => {
  const written: string[] = [];
  vi.stubGlobal("navigator", { clipboard: { writeText: async (text: string) => void written.push(text) } });
  const page = await show();
  expect(page.find("button").attributes("aria-label")).toBe("Copy: Address shop");
  await page.find("button").trigger("click");
  await flushPromises();
  expect(written).toEqual(["secret"]);
  expect(page.find("[role=status]").text()).toBe("Copied");
});

it("without a clipboard it is not said to be copied, and what is to be copied is selected", async () => {
  vi.stubGlobal("navigator", {});
  const page = await show();
  await page.find("button").trigger("click");
  await flushPromises();
  expect(page.find("[role=status]").text()).toBe("");
  const field = page.find("input").element;
  expect([field.selectionStart, field.selectionEnd]).toEqual([0, "secret".length]);
});
