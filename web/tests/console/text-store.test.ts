import { expect, it } from "vitest";
import { TextStore } from "../../src/console/text-store";

it("any stretch of the text can be read back, across blocks and in the growing end", () => {
  const store = new TextStore();
  let whole = "";
  for (let i = 0; i < 3000; i += 1) {
    const piece = `${i}:${"abcdefghij".repeat(i % 13)}|`;
    store.append(piece);
    whole += piece;
  }
  expect(store.length).toBe(whole.length);
  for (let i = 0; i < 500; i += 1) {
    const from = (i * 7919) % whole.length;
    const to = Math.min(whole.length, from + ((i * 104_729) % 200_000));
    expect(store.slice(from, to) === whole.slice(from, to)).toBe(true);
  }
});
