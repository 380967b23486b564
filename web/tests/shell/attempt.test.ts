import { expect, it } from "vitest";
import { sortFaults } from "../../src/shell/attempt";

it("faults go beside the fields that the form has; below a kind's settings too", () => {
  const faults = [
    { place: "body.name", message: "too long" },
    { place: "body.settings.url.url", message: "Value error, expected an address" },
    { place: "body.settings.url.headers.Accept", message: "too long" },
    { place: "body.settings.url.headers.Host", message: "too short" },
  ];
  expect(sortFaults(faults, ["name", "url", "headers"])).toEqual({
    beside: { name: "too long", url: "expected an address", headers: "too long; too short" },
    others: [],
  });
});

it("what no field shows is told all the same", () => {
  const faults = [
    { place: "body.settings.git", message: "expected a pattern" },
    { place: "body.plan", message: "too large" },
    { place: "body", message: "wrong" },
  ];
  expect(sortFaults(faults, ["name"]).others).toEqual(["expected a pattern", "plan: too large", "wrong"]);
});

it("a part of a field has a place of its own, and what is only tried has the places of what is kept", () => {
  const faults = [
    { place: "parameters.LEVEL", message: "must be low or high" },
    { place: "body.hook.picks.branch", message: "Value error, no path" },
    { place: "body.picks.ref", message: "no path" },
    { place: "body.hook.values.IMAGE.[key]", message: "no name" },
  ];
  expect(sortFaults(faults, ["parameters.LEVEL", "picks.branch", "picks.ref", "values"])).toEqual({
    beside: {
      "parameters.LEVEL": "must be low or high",
      "picks.branch": "no path",
      "picks.ref": "no path",
      values: "no name",
    },
    others: [],
  });
});
