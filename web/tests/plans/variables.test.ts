import { expect, it } from "vitest";
import { parseVariables, VariableError } from "../../src/plans/variables";

it("each line is one variable, its value taken as it is", () => {
  expect(parseVariables("A=1\n\n  B_2=x = y \nC=")).toEqual({ A: "1", B_2: "x = y ", C: "" });
});

it("a line that is no variable is named", () => {
  expect(() => parseVariables("A=1\nnonsense")).toThrow(VariableError);
  expect(() => parseVariables("A=1\n2B=1")).toThrow("line 2");
});
