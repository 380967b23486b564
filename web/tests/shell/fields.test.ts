// @vitest-environment happy-dom
import { mount } from "@vue/test-utils";
import { expect, it } from "vitest";
import { defineComponent, h, ref } from "vue";
import ChoiceField from "../../src/shell/ChoiceField.vue";
import TextField from "../../src/shell/TextField.vue";

it("what a field is given besides its words, its input gets; the label and what is said of it belong to it", () => {
  const page = mount(TextField<string>, {
    props: { label: "Branch", hint: "a pattern", problem: "too long", modelValue: "main" },
    attrs: { name: "branch", class: "mono", required: true, maxlength: 9 },
  });
  const input = page.find("input");
  expect(input.element.value).toBe("main");
  expect(input.classes()).toEqual(["field", "mono"]);
  expect(input.attributes()).toMatchObject({ name: "branch", maxlength: "9", "aria-invalid": "true" });
  expect(input.attributes("required")).toBeDefined();
  expect(page.find("label").attributes("for")).toBe(input.attributes("id"));
  const said = input.attributes("aria-describedby")!.split(" ").map((id) => page.find(`[id="${id}"]`).text());
  expect(said).toEqual(["too long", "a pattern"]);
  expect(page.attributes("name")).toBeUndefined();
});

it("with rows it has many lines; nothing is wrong with it where nobody says so", async () => {
  const page = mount(TextField<string>, { props: { label: "Tags", rows: 3, modelValue: "" } });
  const area = page.find("textarea");
  expect(area.attributes()).toMatchObject({ rows: "3", "aria-invalid": "false" });
  await area.setValue("a\nb");
  expect(page.emitted("update:modelValue")).toEqual([["a\nb"]]);
});

it("blanks around a text, and the text of a number, are taken as the model wants them", async () => {
  const name = ref("");
  const count = ref<number | string>(1);
  const page = mount(
    defineComponent(() => () => [
      h(TextField<string>, {
        label: "Name",
        modelValue: name.value,
        modelModifiers: { trim: true },
        "onUpdate:modelValue": (said: string) => (name.value = said),
      }),
      h(TextField<number | string>, {
        label: "Count",
        type: "number",
        modelValue: count.value,
        modelModifiers: { number: true },
        "onUpdate:modelValue": (said: number | string) => (count.value = said),
      }),
    ]),
  );
  const [first, second] = page.findAll("input");
  await first!.setValue("  nightly ");
  await second!.setValue("30");
  expect([name.value, count.value]).toEqual(["nightly", 30]);
});

it("one of several keeps the value's kind, and its options stand in it", async () => {
  const page = mount(ChoiceField<number>, {
    props: { label: "Plan", modelValue: 2 },
    attrs: { name: "plan" },
    slots: { default: () => [1, 2, 3].map((id) => h("option", { value: id }, `plan ${id}`)) },
  });
  const choice = page.find("select");
  expect(choice.attributes("name")).toBe("plan");
  expect(choice.element.selectedOptions[0]!.textContent).toBe("plan 2");
  await choice.setValue("3");
  expect(page.emitted("update:modelValue")).toEqual([[3]]);
});
