import { createRouter, createWebHistory, type Router } from "vue-router";
import TokensPage from "./access/TokensPage.vue";
import AgentsPage from "./agents/AgentsPage.vue";
import ApprovalsPage from "./approvals/ApprovalsPage.vue";
import DeliveriesPage from "./deliveries/DeliveriesPage.vue";
import DeliveryPage from "./deliveries/DeliveryPage.vue";
import RefusalsPage from "./deliveries/RefusalsPage.vue";
import WebhooksPage from "./hooks/WebhooksPage.vue";
import ChannelsPage from "./notifications/ChannelsPage.vue";
import OutboxPage from "./notifications/OutboxPage.vue";
import RulesPage from "./notifications/RulesPage.vue";
import PlansPage from "./plans/PlansPage.vue";
import VersionsPage from "./plans/VersionsPage.vue";
import BadgesPage from "./projects/BadgesPage.vue";
import EnvironmentsPage from "./projects/EnvironmentsPage.vue";
import SettingsPage from "./projects/SettingsPage.vue";
import RunPage from "./runs/RunPage.vue";
import RunsPage from "./runs/RunsPage.vue";
import LoginPage from "./session/LoginPage.vue";
import SearchPage from "./search/SearchPage.vue";
import SecretsPage from "./secrets/SecretsPage.vue";
import { useSession } from "./session/store";
import MissingPage from "./shell/MissingPage.vue";
import TriggersPage from "./triggers/TriggersPage.vue";

export function createPageRouter(): Router {
  const router = createRouter({
    history: createWebHistory(),
    // All in one bundle: a part that is fetched later is not there while the server restarts, nor after its upgrade.
    routes: [
      { path: "/", redirect: "/runs" },
      { path: "/login", name: "login", component: LoginPage, meta: { open: true } },
      { path: "/runs", name: "runs", component: RunsPage },
      { path: "/runs/:run(\\d+)", name: "run", component: RunPage },
      { path: "/runs/:run(\\d+)/jobs/:job(\\d+)", name: "job", component: RunPage },
      { path: "/plans", name: "plans", component: PlansPage },
      { path: "/plans/:plan(\\d+)/versions", name: "versions", component: VersionsPage },
      { path: "/projects/:project(\\d+)", name: "project", component: SettingsPage },
      { path: "/projects/:project(\\d+)/webhooks", name: "webhooks", component: WebhooksPage },
      { path: "/projects/:project(\\d+)/environments", name: "environments", component: EnvironmentsPage },
      { path: "/projects/:project(\\d+)/badges", name: "badges", component: BadgesPage },
      { path: "/approvals", name: "approvals", component: ApprovalsPage },
      { path: "/triggers", name: "triggers", component: TriggersPage },
      { path: "/deliveries", name: "deliveries", component: DeliveriesPage },
      { path: "/deliveries/refusals", name: "refusals", component: RefusalsPage },
      { path: "/deliveries/:delivery(\\d+)", name: "delivery", component: DeliveryPage },
      { path: "/notifications", name: "notifications", component: OutboxPage },
      { path: "/notifications/channels", name: "channels", component: ChannelsPage },
      { path: "/notifications/rules", name: "rules", component: RulesPage },
      { path: "/search", name: "search", component: SearchPage },
      { path: "/secrets", name: "secrets", component: SecretsPage },
      { path: "/tokens", name: "tokens", component: TokensPage },
      { path: "/agents", name: "agents", component: AgentsPage },
      { path: "/:rest(.*)*", name: "missing", component: MissingPage, meta: { open: true } },
    ],
  });
  router.beforeEach(async (to) => {
    const session = useSession();
    if (session.user || to.meta["open"]) return true;
    return (await session.load()) ? true : { name: "login", query: { next: to.fullPath } };
  });
  return router;
}
