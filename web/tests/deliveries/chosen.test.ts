import { expect, it } from "vitest";
import { ref } from "vue";
import type { Delivery } from "../../src/api/types";
import { readable } from "../../src/deliveries/body";
import { useChosen } from "../../src/deliveries/chosen";

const delivery = (id: number, removed_at: string | null = null): Delivery => ({ id, removed_at }) as Delivery;

it("all that can be replayed are chosen at once, and none of those whose body is gone", () => {
  const shown = ref([delivery(3), delivery(2, "2026-11-01T00:00:00.000Z"), delivery(1)]);
  const { ids, all, toggle, toggleAll } = useChosen(() => shown.value);
  expect(all.value).toBe(false);
  toggleAll();
  expect([...ids.value]).toEqual([3, 1]);
  expect(all.value).toBe(true);
  toggle(delivery(3));
  expect([...ids.value]).toEqual([1]);
  toggleAll();
  toggleAll();
  expect(ids.value.size).toBe(0);
});

it("what is not shown any more is not acted on", () => {
  const shown = ref([delivery(2), delivery(1)]);
  const { ids, toggleAll } = useChosen(() => shown.value);
  toggleAll();
  shown.value = [delivery(3), delivery(2)];
  expect([...ids.value]).toEqual([2]);
});

it("a body is shown as JSON where it is all of one, else as it came", () => {
  expect(readable('{"a":[1]}', false)).toBe('{\n  "a": [\n    1\n  ]\n}');
  expect(readable('{"a":', false)).toBe('{"a":');
  expect(readable("1", true)).toBe("1");
});
