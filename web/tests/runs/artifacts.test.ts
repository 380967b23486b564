import { expect, it } from "vitest";
import { shownInPlace } from "../../src/runs/artifacts";

it("files that browsers show are told from those that they save", () => {
  for (const path of ["report.html", "a/b.PNG", "a.b/c.txt"]) expect(shownInPlace(path)).toBe(true);
  for (const path of ["app.whl", "dir.html/app", "html", ".html", "a.tar.gz"]) expect(shownInPlace(path)).toBe(false);
});
