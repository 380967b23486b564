// @vitest-environment happy-dom
import { mount } from "@vue/test-utils";
import { expect, it } from "vitest";
import ConsoleRow from "../../src/console/ConsoleRow.vue";
import type { GroupState } from "../../src/console/log-model";
import { renderRow } from "../../src/console/render-row";
import type { Row } from "../../src/console/rows";
import { PLAIN } from "../../src/console/style";
import { createLocales } from "../../src/locales";

function rowOf(text: string, fields: Partial<Row> = {}, group: GroupState = null) {
  const row: Row = { line: 7, continued: false, stream: "stdout", step: 0, time: 0, text, style: PLAIN, omitted: 0, ...fields };
  return mount(ConsoleRow, {
    props: { row, lines: [renderRow(text, PLAIN)], timestamps: false, marked: false, found: false, begins: false, group },
    global: { plugins: [createLocales("en")] },
  });
}

it("log text is never HTML, plain or coloured", () => {
  const attack = `<img src=x onerror=alert(1)><b>&lt;</b>`;
  for (const text of [attack, `\x1b[31m${attack}\x1b[0m`]) {
    const row = rowOf(text);
    expect(row.find(".text").text()).toBe(attack);
    expect(row.find("img, b").exists()).toBe(false);
  }
});

it("standard error and system lines carry a sign, not only a colour", () => {
  expect(rowOf("x", { stream: "stdout" }).find(".sign").text()).toBe("");
  expect(rowOf("x", { stream: "stderr" }).find(".sign").text()).toBe("!");
  expect(rowOf("x", { stream: "system" }).find(".sign").text()).toBe("›");
});

it("a click on the number picks the line, with shift a range", async () => {
  const row = rowOf("x");
  await row.find(".number").trigger("click");
  await row.find(".number").trigger("click", { shiftKey: true });
  expect(row.emitted("pick")).toEqual([
    [7, false],
    [7, true],
  ]);
});

it("says how much of a long line is left out", () => {
  expect(rowOf("x", { omitted: 1234 }).find(".omitted").text()).toContain("1234 more characters");
});

it("the head of a group is a button that says whether it is open", async () => {
  for (const [group, expanded] of [
    ["open", "true"],
    ["folded", "false"],
  ] as const) {
    const row = rowOf("build", {}, group);
    expect(row.find("button").attributes("aria-expanded")).toBe(expanded);
    await row.find("button").trigger("click");
    await row.find(".text").trigger("click");
    expect(row.emitted("fold")).toHaveLength(2);
  }
  for (const group of [null, "ends"] as const) {
    const row = rowOf("build", {}, group);
    expect(row.find("button").exists()).toBe(false);
    await row.find(".text").trigger("click");
    expect(row.emitted("fold")).toBeUndefined();
  }
});
