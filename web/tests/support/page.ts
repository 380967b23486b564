import { flushPromises, mount, type VueWrapper } from "@vue/test-utils";
import { createPinia } from "pinia";
import type { Component } from "vue";
import { createMemoryHistory, createRouter, type Router } from "vue-router";
import type { Api } from "../../src/api/client";
import { createLocales, type Locale } from "../../src/locales";
import { apiKey } from "../../src/services";

export interface Opened {
  page: VueWrapper;
  router: Router;
}

/** A page or a dialog as people get it, at an address, in front of an API of which only what it calls is there. */
export async function open(
  component: Component,
  api: object,
  { at = "/", route = "/:rest(.*)*", props = {}, provide = {}, locale = "en" as Locale } = {},
): Promise<Opened> {
  const router = createRouter({
    history: createMemoryHistory(),
    routes: [
      { path: route, name: "here", component: { template: "<div />" } },
      { path: "/runs", name: "runs", component: { template: "<div />" } },
      ...(route === "/:rest(.*)*" ? [] : [{ path: "/:rest(.*)*", component: { template: "<div />" } }]),
    ],
  });
  await router.push(at);
  const page = mount(component, {
    props,
    attachTo: document.body,
    global: {
      plugins: [createPinia(), router, createLocales(locale)],
      provide: { [apiKey as symbol]: api as unknown as Api, ...provide },
    },
  });
  await flushPromises();
  return { page, router };
}
