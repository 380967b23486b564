import { createPinia } from "pinia";
import { createApp, ref, watch } from "vue";
import { createApi } from "./api/client";
import App from "./App.vue";
import { LiveConnection, type ConnectionState, type Socket } from "./live/connection";
import { createLocales } from "./locales";
import { createPageRouter } from "./router";
import { apiKey, liveKey } from "./services";
import { useSession } from "./session/store";
import "./theme/tokens.css";
import "./theme/base.css";
import { usePreferences } from "./theme/preferences";

const app = createApp(App);
app.use(createPinia());

const preferences = usePreferences();
const locales = createLocales(preferences.locale);
watch(
  () => preferences.locale,
  (locale) => (locales.global.locale.value = locale),
);
app.use(locales);

const router = createPageRouter();
const api = createApi("", () => {
  const session = useSession();
  if (!session.user) return;
  session.lost();
  void router.push({ name: "login", query: { next: router.currentRoute.value.fullPath } });
});
app.provide(apiKey, api);

const state = ref<ConnectionState>("idle");
const connection = new LiveConnection({
  open: () => new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/live`) as Socket,
  // A refused handshake looks like a lost network; whether we are still signed in, the REST API can say.
  refused: () => void signedInStill().catch(() => {}),
  changed: (now) => (state.value = now),
});
app.provide(liveKey, { connection, state });

async function signedInStill(): Promise<void> {
  if (await useSession().load()) return;
  await router.push({ name: "login", query: { next: router.currentRoute.value.fullPath } });
}

addEventListener("online", () => connection.hurry());
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") connection.hurry();
});

app.use(router);
app.mount("#app");
