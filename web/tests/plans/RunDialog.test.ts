// @vitest-environment happy-dom
import { enableAutoUnmount, flushPromises } from "@vue/test-utils";
import { afterEach, expect, it } from "vitest";
import { Problem } from "../../src/api/problem";
import type { Parameter, Plan, RunDraft } from "../../src/api/types";
import { answersOf } from "../../src/plans/parameters";
import RunDialog from "../../src/plans/RunDialog.vue";
import { open } from "../support/page";

enableAutoUnmount(afterEach);

function parameter(fields: Partial<Parameter> & { name: string }): Parameter {
  return { kind: "string", description: "", default: null, choices: [], least: null, most: null, ...fields };
}

const ASKED = [
  parameter({ name: "VERSION", description: "What to release" }),
  parameter({ name: "TARGET", kind: "choice", choices: ["staging", "production"], default: "staging" }),
  parameter({ name: "LEVEL", kind: "choice", choices: ["low", "high"] }),
  parameter({ name: "DRY", kind: "boolean", default: "true" }),
  parameter({ name: "WORKERS", kind: "number", least: 1, most: 16, default: "4" }),
  parameter({ name: "OTP", kind: "secret" }),
];

async function ask(asked: Parameter[], path: string | null = null, refusal: Problem | null = null) {
  const drafts: RunDraft[] = [];
  const api = {
    async startRun(draft: RunDraft) {
      drafts.push(draft);
      if (refusal) throw refusal;
      return { id: 9 };
    },
  };
  const plan = { id: 4, project_name: "shop", name: "release", path } as Plan;
  const opened = await open(RunDialog, api, { props: { plan, asked: { version: path && asked.length === 0 ? null : 3, items: asked } } });
  const field = (name: string) => opened.page.find(`[name=${name}]`);
  const submit = async (): Promise<void> => {
    await opened.page.find("form").trigger("submit");
    await flushPromises();
  };
  return { ...opened, drafts, field, submit };
}

it("each kind has its field, with its default; what has none must be answered, but for a secret", async () => {
  const { field } = await ask(ASKED);
  expect(field("VERSION").attributes()).toMatchObject({ type: "text", required: "" });
  expect(field("TARGET").element).toHaveProperty("value", "staging");
  expect(field("TARGET").findAll("option").map((option) => option.text())).toEqual(["staging", "production"]);
  expect(field("LEVEL").element).toHaveProperty("value", "");
  expect(field("LEVEL").findAll("option").map((option) => option.text())).toEqual(["Choose…", "low", "high"]);
  expect(field("LEVEL").attributes("required")).toBe("");
  expect(field("DRY").findAll("option").map((option) => option.text())).toEqual(["true", "false"]);
  expect(field("WORKERS").attributes()).toMatchObject({ type: "number", min: "1", max: "16" });
  expect(field("WORKERS").element).toHaveProperty("value", "4");
  expect(field("OTP").attributes()).toMatchObject({ type: "password", autocomplete: "new-password" });
  expect(field("OTP").attributes("required")).toBeUndefined();
});

it("a field's description and bounds are said with it", async () => {
  const { page, field } = await ask(ASKED);
  expect(page.find(`[id='${field("VERSION").attributes("aria-describedby")}']`).text()).toBe("What to release");
  expect(page.find(`[id='${field("WORKERS").attributes("aria-describedby")}']`).text()).toBe("1 to 16");
});

it("answers are sent as texts, and the run that began is shown", async () => {
  const { field, submit, drafts, router } = await ask(ASKED);
  await field("VERSION").setValue("1.2.3");
  await field("LEVEL").setValue("high");
  await field("DRY").setValue("false");
  await field("OTP").setValue("123456");
  await field("revision").setValue(" main ");
  await submit();
  expect(drafts).toEqual([
    {
      plan: 4,
      revision: "main",
      variables: {},
      parameters: { VERSION: "1.2.3", TARGET: "staging", LEVEL: "high", DRY: "false", WORKERS: "4", OTP: "123456" },
    },
  ]);
  expect(router.currentRoute.value.path).toBe("/runs/9");
});

it("what was left empty is no answer, but for a text that somebody emptied", () => {
  const asked = [...ASKED, parameter({ name: "GREETING", default: "hello" })];
  expect(answersOf(asked, { VERSION: "", GREETING: "", WORKERS: "", OTP: "" })).toEqual({ GREETING: "" });
});

it("what the server found wrong is said at the field, and what was typed stays", async () => {
  const errors = [{ place: "parameters.VERSION", message: "must be a number; found 'x'" }];
  const { page, field, submit } = await ask(ASKED, null, new Problem({ status: 400, detail: "all of it", errors }));
  await field("VERSION").setValue("x");
  await submit();
  expect(field("VERSION").attributes("aria-invalid")).toBe("true");
  expect(field("WORKERS").attributes("aria-invalid")).toBe("false");
  const said = field("VERSION").attributes("aria-describedby")!.split(" ")[0];
  expect(page.find(`[id='${said}']`).text()).toBe("must be a number; found 'x'");
  expect(field("VERSION").element).toHaveProperty("value", "x");
  expect(page.find("p.problem").exists()).toBe(false);
});

it("of a plan in the repository nothing is insisted on: another revision may ask for something else", async () => {
  const { page, field, submit, drafts } = await ask(ASKED, ".tailrace.yml");
  expect(page.text()).toContain("What version 3 of the plan asks");
  expect(field("VERSION").attributes("required")).toBeUndefined();
  await submit();
  expect(drafts[0]!.parameters).toEqual({ TARGET: "staging", DRY: "true", WORKERS: "4" });
});

it("of one that was never read it is said that nobody knows", async () => {
  const { page, submit, drafts } = await ask([], ".tailrace.yml");
  expect(page.text()).toContain("was not read from the repository yet");
  await submit();
  expect(drafts).toEqual([{ plan: 4, variables: {} }]);
});

it("a line that is no variable is said at its field, and nothing is sent", async () => {
  const { field, submit, drafts } = await ask([]);
  await field("variables").setValue("A=1\nnonsense");
  await submit();
  expect(field("variables").attributes("aria-invalid")).toBe("true");
  expect(drafts).toEqual([]);
});
