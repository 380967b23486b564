// @vitest-environment happy-dom
import { flushPromises, mount } from "@vue/test-utils";
import { createPinia } from "pinia";
import { expect, it } from "vitest";
import { createMemoryHistory, createRouter } from "vue-router";
import type { Api } from "../../src/api/client";
import { Problem } from "../../src/api/problem";
import { createLocales } from "../../src/locales";
import { apiKey } from "../../src/services";
import LoginPage from "../../src/session/LoginPage.vue";

async function open(path: string, signedIn = false) {
  const codes: string[] = [];
  const seen: string[] = [];
  let inside = signedIn;
  const api = {
    async signIn(code: string) {
      seen.push(router.currentRoute.value.fullPath);
      codes.push(code);
      if (code !== "good") throw new Problem({ status: 401, detail: "unknown" });
      inside = true;
      return { name: "admin" };
    },
    async signInWithToken(token: string) {
      codes.push(token);
      if (token !== "trt_good") throw new Problem({ status: 401, detail: "unknown" });
      inside = true;
      return { name: "ada" };
    },
    async session() {
      if (!inside) throw new Problem({ status: 401 });
      return { name: "admin", version: "0.1.0" };
    },
  };
  const empty = { template: "<p/>" };
  const router = createRouter({
    history: createMemoryHistory(),
    routes: [
      { path: "/login", name: "login", component: LoginPage },
      { path: "/:rest(.*)*", component: empty },
    ],
  });
  await router.push(path);
  const page = mount(LoginPage, {
    global: { plugins: [createPinia(), router, createLocales("en")], provide: { [apiKey as symbol]: api as unknown as Api } },
  });
  await flushPromises();
  return { page, router, codes, seen };
}

it("a good link signs in and goes where it says; the code has left the address before it is sent", async () => {
  const { router, codes, seen } = await open("/login#code=good&next=/runs/12");
  expect(codes).toEqual(["good"]);
  expect(seen).toEqual(["/login"]);
  expect(router.currentRoute.value.fullPath).toBe("/runs/12");
});

it("a link that does not work any more says so, and how to get another", async () => {
  const { page, router } = await open("/login#code=old");
  expect(page.find("[data-testid=sign-in-error]").text()).toContain("does not work any more");
  expect(page.text()).toContain("tailrace login-link");
  expect(router.currentRoute.value.fullPath).toBe("/login");
});

it("without a link it explains itself and accuses nobody", async () => {
  const { page, codes } = await open("/login");
  expect(codes).toEqual([]);
  expect(page.find("[data-testid=sign-in-error]").exists()).toBe(false);
  expect(page.text()).toContain("tailrace login-link");
});

it("who is signed in already goes on, on this server only", async () => {
  expect((await open("/login?next=/plans", true)).router.currentRoute.value.fullPath).toBe("/plans");
  expect((await open("/login?next=//evil.example", true)).router.currentRoute.value.fullPath).toBe("/");
});

it("a token signs in as well, goes where one wanted to go, and is in no address", async () => {
  const { page, router, codes } = await open("/login?next=/plans");
  await page.find("input[name=token]").setValue(" trt_good ");
  await page.find("form").trigger("submit");
  await flushPromises();
  expect(codes).toEqual(["trt_good"]);
  expect(router.currentRoute.value.fullPath).toBe("/plans");
});

it("a token that is not known says so, and is not left in the field", async () => {
  const { page, router } = await open("/login");
  await page.find("input[name=token]").setValue("trt_old");
  await page.find("form").trigger("submit");
  await flushPromises();
  expect(page.find("[data-testid=sign-in-error]").text()).toContain("is not known here");
  expect(page.find<HTMLInputElement>("input[name=token]").element.value).toBe("");
  expect(router.currentRoute.value.fullPath).toBe("/login");
});
