// @vitest-environment happy-dom
import { enableAutoUnmount } from "@vue/test-utils";
import { afterEach, expect, it } from "vitest";
import RowActions from "../../src/shell/RowActions.vue";
import { open } from "../support/page";

enableAutoUnmount(afterEach);

const names = async (props: object): Promise<(string | undefined)[]> => {
  const { page } = await open(RowActions, {}, { props: { name: "team", kind: "channel", ...props } });
  return page.findAll("button").map((button) => button.attributes("aria-label"));
};

it("buttons say what they do, and to which one", async () => {
  expect(await names({ enabled: true })).toEqual(["Disable: team", "Edit: team", "Remove: team"]);
  expect(await names({ enabled: false })).toEqual(["Enable: team", "Edit: team", "Remove: team"]);
  expect(await names({})).toEqual(["Edit: team", "Remove: team"]);
});

it("what is fixed cannot be changed or removed", async () => {
  expect(await names({ enabled: true, fixed: true })).toEqual(["Disable: team"]);
});

it("each button tells what is wanted", async () => {
  const { page } = await open(RowActions, {}, { props: { name: "team", kind: "channel", enabled: true } });
  for (const what of ["mode", "edit", "remove"]) {
    await page.find(`[data-testid=${what}-channel]`).trigger("click");
    expect(page.emitted(what)).toHaveLength(1);
  }
});
