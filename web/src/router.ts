import { createRouter, createWebHistory, type Router } from "vue-router";
import RunsPage from "./runs/RunsPage.vue";
import { useSession } from "./session/store";

export function createPageRouter(): Router {
  const router = createRouter({
    history: createWebHistory(),
    routes: [
      { path: "/", redirect: "/runs" },
      { path: "/login", name: "login", component: () => import("./session/LoginPage.vue"), meta: { open: true } },
      { path: "/runs", name: "runs", component: RunsPage },
      { path: "/runs/:run(\\d+)", name: "run", component: () => import("./runs/RunPage.vue") },
      { path: "/runs/:run(\\d+)/jobs/:job(\\d+)", name: "job", component: () => import("./runs/RunPage.vue") },
      { path: "/plans", name: "plans", component: () => import("./plans/PlansPage.vue") },
      { path: "/agents", name: "agents", component: () => import("./agents/AgentsPage.vue") },
      { path: "/:rest(.*)*", name: "missing", component: () => import("./shell/MissingPage.vue"), meta: { open: true } },
    ],
  });
  router.beforeEach(async (to) => {
    const session = useSession();
    if (session.user || to.meta["open"]) return true;
    return (await session.load()) ? true : { name: "login", query: { next: to.fullPath } };
  });
  return router;
}
