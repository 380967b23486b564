import { expect, it } from "vitest";
import { isSecretName } from "../../src/secrets/name";

it("a secret's name is one of an environment variable", () => {
  for (const name of ["TOKEN", "_x", "a1", "A".repeat(100)]) expect(isSecretName(name)).toBe(true);
  for (const name of ["", "1A", "A-B", "A B", "Ä", "A".repeat(101), "A\n"]) expect(isSecretName(name)).toBe(false);
});
