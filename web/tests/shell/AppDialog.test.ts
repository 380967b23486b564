// @vitest-environment happy-dom
import { afterEach, expect, it } from "vitest";
import AppDialog from "../../src/shell/AppDialog.vue";
import { open } from "../support/page";

afterEach(() => document.body.replaceChildren());

function button(): HTMLElement {
  const made = document.createElement("button");
  document.body.append(made);
  made.focus();
  return made;
}

it("who opened a dialog has the focus again when it is taken away", async () => {
  const opener = button();
  const { page } = await open(AppDialog, {}, { props: { title: "x" } });
  page.find<HTMLElement>("button").element.focus();
  expect(document.activeElement).not.toBe(opener);
  page.unmount();
  expect(document.activeElement).toBe(opener);
});

it("where that is gone, the page's content has it", async () => {
  const main = document.createElement("main");
  main.id = "main";
  main.tabIndex = -1;
  document.body.append(main);
  const opener = button();
  const { page } = await open(AppDialog, {}, { props: { title: "x" } });
  page.find<HTMLElement>("button").element.focus();
  opener.remove();
  page.unmount();
  expect(document.activeElement).toBe(main);
});

it("what took the focus meanwhile keeps it", async () => {
  button();
  const { page } = await open(AppDialog, {}, { props: { title: "x" } });
  const other = button();
  page.unmount();
  expect(document.activeElement).toBe(other);
});
