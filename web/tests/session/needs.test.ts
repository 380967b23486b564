// @vitest-environment happy-dom
import { enableAutoUnmount } from "@vue/test-utils";
import { afterEach, expect, it } from "vitest";
import { defineComponent, h, nextTick, ref, withDirectives } from "vue";
import type { Role } from "../../src/api/types";
import { may, useNeeds } from "../../src/session/needs";
import { useSession } from "../../src/session/store";
import { open } from "../support/page";

enableAutoUnmount(afterEach);

const user = (role?: Role) => ({ name: "ada", version: "1", ...(role ? { role } : {}) });

it("a role may what those below it may", () => {
  const roles = ["admin", "member", "reader"] as const;
  expect(roles.map((one) => roles.map((other) => may(user(one), other)))).toEqual([
    [true, true, true],
    [false, true, true],
    [false, false, true],
  ]);
});

it("what is not known of somebody is the server's to say", () => {
  expect(may(null, "admin")).toBe(true);
  expect(may(user(), "admin")).toBe(true);
});

it("a button that one may not use is disabled, whatever else is so, and says whom it is for", async () => {
  const busy = ref(true);
  const shown = ref(false);
  const Page = defineComponent(() => {
    const vNeeds = useNeeds();
    const button = (role: Role) => withDirectives(h("button", { disabled: busy.value }), [[vNeeds, role]]);
    return () => h("div", shown.value ? [button("admin"), button("member")] : []);
  });
  const { page } = await open(Page, {});
  useSession().user = user("member");
  shown.value = true;
  await nextTick();
  busy.value = false;
  await nextTick();
  const [admins, members] = page.findAll("button");
  expect([admins!.element.disabled, admins!.element.title]).toEqual([true, "This needs the role admin."]);
  expect([members!.element.disabled, members!.element.title]).toEqual([false, ""]);
});
